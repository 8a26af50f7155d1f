//! `milena completions` and `milena man`: what a packager installs beside the command.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::Cli;
use crate::failure::{Failure, at_file};
use crate::output::Output;

/// For which shell.
#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell; its script goes to standard output.
    #[arg(value_enum)]
    shell: Shell,
}

/// Which pages, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// Write the pages of all commands into this folder, as `milena.1`, `milena-topics.1` and so on;
    /// without it the page of `milena` goes to standard output.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(crate) fn completions(args: &Completions) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "milena", &mut script);
    print(&script)
}

pub(crate) fn man(args: &Man) -> Result<(), Failure> {
    if let Some(folder) = &args.folder {
        return clap_mangen::generate_to(Cli::command(), folder)
            .map_err(|error| at_file("cannot be written to", Some(folder), error));
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page)?;
    print(&page)
}

fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut output = Output::stdout();
    output.write_all(bytes)?;
    Ok(output.flush()?)
}
