//! Which broker, and with which settings.

use std::path::PathBuf;

use milena::config::{
    ClientBuilder, ConsumerBuilder, FromProperties, Idempotent, ProducerBuilder, Properties,
    Transactional,
};
use milena::{Admin, ClientConfig};

use crate::failure::Failure;
use crate::output;

/// Which broker, and with which settings.
///
/// An option of the command comes before `-X`, that before the file, and the file before `MILENA_BOOTSTRAP`. An option and `-X`
/// that disagree are an error.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Connect {
    /// Brokers to ask first, each as host:port, separated by commas. If unset: `bootstrap.servers` of -X or
    /// of the file, the environment's MILENA_BOOTSTRAP, localhost:9092; demo then brings brokers of its own.
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub(crate) bootstrap: Option<String>,
    /// A setting by its name in the Java client or librdkafka, such as `linger.ms=20`. Repeatable.
    #[arg(
        short = 'X',
        long = "property",
        global = true,
        value_name = "KEY=VALUE"
    )]
    #[arg(value_parser = property)]
    properties: Vec<(String, String)>,
    /// A file of settings, as Kafka's tools read them: one `key=value` a line. -X overrides it.
    #[arg(short = 'F', long = "config-file", global = true, value_name = "PATH")]
    config_file: Option<PathBuf>,
    /// What the file has.
    #[arg(skip)]
    file: Vec<(String, String)>,
    /// MILENA_BOOTSTRAP.
    #[arg(skip)]
    environment: Option<String>,
}

/// Where a broker is by default.
const LOCAL: &str = "localhost:9092";
/// The environment's word for the brokers to ask first.
const BOOTSTRAP_VARIABLE: &str = "MILENA_BOOTSTRAP";
/// The keys of the brokers to ask first, in the Java client and in librdkafka.
const BOOTSTRAP_KEYS: [&str; 2] = ["bootstrap.servers", "metadata.broker.list"];

/// Whether a command gives up as soon as no broker can be reached.
const FAIL_AT_ONCE: &str = "milena.fail.unreachable.at.once";

impl Connect {
    /// Reads the file and the environment, and rejects options that contradict each other.
    pub(crate) fn resolve(&mut self) -> Result<(), Failure> {
        if let Some(path) = &self.config_file {
            self.file = Properties::read(path)?.into_iter().collect();
        }
        self.environment = std::env::var(BOOTSTRAP_VARIABLE)
            .ok()
            .filter(|brokers| !brokers.is_empty());
        if let (Some(option), Some(property)) = (&self.bootstrap, bootstrap_of(&self.properties))
            && option != property
        {
            return Err(Failure::Usage(format!(
                "--bootstrap says {option} and -X says {property}: give one of them"
            )));
        }
        Ok(())
    }

    /// The same for these brokers, with these settings where the command line does not say otherwise.
    pub(crate) fn to_brokers(&self, bootstrap: String, settings: &[(&str, &str)]) -> Self {
        let mut other = self.with_defaults(settings);
        other
            .properties
            .retain(|(key, _)| !BOOTSTRAP_KEYS.contains(&&**key));
        other.bootstrap = Some(bootstrap);
        other
    }

    /// The same with these settings where the command line does not say otherwise.
    pub(crate) fn with_defaults(&self, settings: &[(&str, &str)]) -> Self {
        let mut other = self.clone();
        for (key, value) in settings {
            if value_of(&self.properties, key).is_none() {
                other
                    .properties
                    .push(((*key).to_owned(), (*value).to_owned()));
            }
        }
        other
    }

    /// The brokers to ask first.
    pub(crate) fn bootstrap(&self) -> &str {
        self.bootstrap
            .as_deref()
            .or_else(|| bootstrap_of(&self.properties))
            .or_else(|| bootstrap_of(&self.file))
            .or(self.environment.as_deref())
            .unwrap_or(LOCAL)
    }

    /// Rejects options that a command which is no client cannot honour.
    pub(crate) fn is_not_for(&self, command: &str) -> Result<(), Failure> {
        if self.bootstrap.is_some() {
            let line = format!("--bootstrap means nothing to {command}");
            return Err(Failure::Usage(line));
        }
        self.takes_no_properties(command)
    }

    /// Rejects settings of clients where there is none.
    pub(crate) fn takes_no_properties(&self, command: &str) -> Result<(), Failure> {
        let given = match (self.properties.is_empty(), &self.config_file) {
            (false, _) => "--property",
            (true, Some(_)) => "--config-file",
            (true, None) => return Ok(()),
        };
        Err(Failure::Usage(format!(
            "{given} means nothing to {command}"
        )))
    }

    /// All settings of a client: those of the command's options, of -X, of the file, and defaults.
    fn properties(&self, options: &[(&str, &str)]) -> Result<Vec<(String, String)>, Failure> {
        let mut all = vec![
            ("bootstrap.servers".to_owned(), self.bootstrap().to_owned()),
            ("client.id".to_owned(), "milena-cli".to_owned()),
            // A person waits at the other end: a wrong address is an error at once.
            (FAIL_AT_ONCE.to_owned(), "true".to_owned()),
        ];
        let mut set = |key: &str, value: &str| {
            all.retain(|(known, _)| known != key);
            all.push((key.to_owned(), value.to_owned()));
        };
        for (key, value) in self.file.iter().chain(&self.properties) {
            if !BOOTSTRAP_KEYS.contains(&&**key) {
                set(key, value);
            }
        }
        for (key, value) in options {
            if let Some(other) = value_of(&self.properties, key)
                && other != *value
            {
                return Err(Failure::Usage(format!(
                    "{key} is {value} by an option of the command and {other} by -X: give one of them"
                )));
            }
            set(key, value);
        }
        Ok(all)
    }

    /// Prints which keys set nothing, and why. Of the command line, one that is not known is an error: a
    /// misspelt key would run with its default. A file may be shared with other programs.
    fn read<B>(&self, read: FromProperties<B>) -> Result<B, Failure> {
        let given = |key: &str| value_of(&self.properties, key).is_some();
        let unknown: Vec<_> = read
            .unknown
            .iter()
            .filter(|note| given(&note.key))
            .map(ToString::to_string)
            .collect();
        if !unknown.is_empty() {
            return Err(Failure::Usage(unknown.join("; ")));
        }
        for note in read.notes() {
            output::note(note);
        }
        Ok(read.builder)
    }

    /// Settings of a client that is neither producer nor consumer.
    pub(crate) fn client(&self) -> Result<ClientConfig, Failure> {
        let read = ClientBuilder::from_properties(self.properties(&[])?)?;
        Ok(self.read(read)?.config()?)
    }

    pub(crate) fn admin(&self) -> Result<Admin, Failure> {
        Ok(Admin::new(self.client()?)?)
    }

    /// Beside a producer or consumer, which has reported already which keys set nothing.
    pub(crate) fn admin_quietly(&self) -> Result<Admin, Failure> {
        let read = ClientBuilder::from_properties(self.properties(&[])?)?;
        Ok(Admin::new(read.builder.config()?)?)
    }

    /// Settings of a producer, with those of the command's options.
    pub(crate) fn producer(
        &self,
        options: &[(&str, &str)],
    ) -> Result<ProducerBuilder<Idempotent>, Failure> {
        let properties = self.properties(options)?;
        self.read(ProducerBuilder::<Idempotent>::from_properties(properties)?)
    }

    /// Settings of a transactional producer, with those of the command's options.
    pub(crate) fn transactional_producer(
        &self,
        id: &str,
        options: &[(&str, &str)],
    ) -> Result<ProducerBuilder<Transactional>, Failure> {
        let options: Vec<_> = options
            .iter()
            .copied()
            .chain([("transactional.id", id)])
            .collect();
        let properties = self.properties(&options)?;
        self.read(ProducerBuilder::<Transactional>::from_properties(
            properties,
        )?)
    }

    /// Settings of a consumer, with those of the command's options.
    pub(crate) fn consumer(&self, options: &[(&str, &str)]) -> Result<ConsumerBuilder, Failure> {
        let properties = self.properties(options)?;
        self.read(ConsumerBuilder::from_properties(properties)?)
    }
}

fn value_of<'a>(properties: &'a [(String, String)], key: &str) -> Option<&'a str> {
    let mut found = properties.iter().rev().filter(|(known, _)| known == key);
    found.next().map(|(_, value)| &**value)
}

fn bootstrap_of(properties: &[(String, String)]) -> Option<&str> {
    BOOTSTRAP_KEYS
        .iter()
        .find_map(|key| value_of(properties, key))
}

fn property(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(bootstrap: Option<&str>, given: &[&str], file: &[&str]) -> Connect {
        let properties =
            |lines: &[&str]| lines.iter().map(|line| property(line).unwrap()).collect();
        Connect {
            bootstrap: bootstrap.map(ToOwned::to_owned),
            properties: properties(given),
            config_file: None,
            file: properties(file),
            environment: Some("environment:1".to_owned()),
        }
    }

    fn value(connect: &Connect, options: &[(&str, &str)], key: &str) -> String {
        let all = connect.properties(options).unwrap();
        let values: Vec<_> = all
            .iter()
            .filter(|(known, _)| known == key)
            .map(|(_, value)| &**value)
            .collect();
        values.join(" and ")
    }

    #[test]
    fn an_option_comes_before_x_and_x_before_the_file() {
        let all = connect(None, &["linger.ms = 7"], &["linger.ms=9", "batch.size=5"]);
        let options = [("acks", "all")];
        assert_eq!(value(&all, &options, "linger.ms"), "7");
        assert_eq!(value(&all, &options, "batch.size"), "5");
        assert_eq!(value(&all, &options, "acks"), "all");
        assert_eq!(value(&all, &[("batch.size", "6")], "batch.size"), "6");
    }

    #[test]
    fn the_brokers_come_from_the_nearest_place_that_names_some() {
        let expect = |option, given: &[&str], file: &[&str], expected: &str| {
            let all = connect(option, given, file);
            assert_eq!(all.bootstrap(), expected);
            assert_eq!(value(&all, &[], "bootstrap.servers"), expected);
            assert_eq!(value(&all, &[], "metadata.broker.list"), "");
        };
        let file = ["bootstrap.servers=file:1"];
        expect(Some("option:1"), &[], &file, "option:1");
        expect(None, &["metadata.broker.list=x:1"], &file, "x:1");
        expect(None, &[], &file, "file:1");
        expect(None, &[], &[], "environment:1");
    }

    #[test]
    fn an_option_and_x_that_disagree_are_rejected() {
        let all = connect(None, &["linger.ms=7"], &[]);
        let Err(Failure::Usage(line)) = all.properties(&[("linger.ms", "5")]) else {
            panic!("accepted");
        };
        assert!(
            line.contains("linger.ms is 5") && line.contains("7 by -X"),
            "{line}"
        );
        let mut both = connect(Some("a:1"), &["bootstrap.servers=b:1"], &[]);
        assert!(matches!(both.resolve(), Err(Failure::Usage(_))));
        let mut same = connect(Some("a:1"), &["bootstrap.servers=a:1"], &[]);
        assert!(same.resolve().is_ok());
    }
}
