//! Prints docs/SETTINGS.md.

fn main() {
    print!("{}", milena_public_face::settings_document());
}
