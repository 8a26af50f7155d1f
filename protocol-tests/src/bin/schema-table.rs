//! Makes `crates/codec/src/schema/table.rs` from the message definitions inside a kafka-clients jar.
//!
//! ```text
//! schema-table            writes the table
//! schema-table --check    fails if the table is not what the jar says
//! ```
//! The jar is that of the newest Kafka tested against, fetched by Maven where it is not at hand yet.
//! Another one may be named as an argument.

use milena_protocol_tests::jars::{Jars, NEWEST};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("schema-table: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Fallible<()> {
    let mut jar = None;
    let mut check = false;
    for argument in std::env::args_os().skip(1) {
        match argument.to_str() {
            Some("--check") => check = true,
            _ if jar.is_none() => jar = Some(PathBuf::from(argument)),
            _ => return Err("usage: schema-table [JAR] [--check]".into()),
        }
    }
    let jar = match jar {
        Some(jar) => jar,
        None => Jars::fetch(NEWEST)?
            .folder()
            .join(format!("kafka-clients-{NEWEST}.jar")),
    };
    let table = table(&definitions(&jar)?)?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/codec/src/schema/table.rs");
    if !check {
        std::fs::write(path, table)?;
    } else if std::fs::read_to_string(path)? != table {
        return Err("the schema table is stale: run schema-table without --check".into());
    }
    Ok(())
}

/// The message definitions of a jar, by name.
fn definitions(jar: &Path) -> Fallible<BTreeMap<String, Definition>> {
    let mut archive = zip::ZipArchive::new(File::open(jar)?)?;
    let mut definitions = BTreeMap::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let name = entry.name()?.into_owned();
        if !name.starts_with("common/message/") || !name.ends_with(".json") {
            continue;
        }
        let mut text = String::new();
        entry.read_to_string(&mut text)?;
        let definition: Definition = serde_json::from_str(&without_comments(&text))
            .map_err(|error| format!("{name}: {error}"))?;
        definitions.insert(definition.name.clone(), definition);
    }
    if definitions.is_empty() {
        return Err(format!("{} has no common/message/*.json", jar.display()).into());
    }
    Ok(definitions)
}

/// Kafka's definitions are JSON with `//` comments, which JSON has not.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    let mut in_string = false;
    while let Some(character) = characters.next() {
        match character {
            '"' => in_string = !in_string,
            '\\' if in_string => {
                out.push(character);
                out.extend(characters.next());
                continue;
            }
            '/' if !in_string && characters.peek() == Some(&'/') => {
                while characters.next_if(|next| *next != '\n').is_some() {}
                continue;
            }
            _ => {}
        }
        out.push(character);
    }
    out
}

/// One message definition. A key that is not listed here is an error: it might change the wire.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Definition {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    api_key: Option<i16>,
    valid_versions: String,
    #[serde(default = "none")]
    flexible_versions: String,
    #[serde(default)]
    latest_version_unstable: bool,
    #[serde(default)]
    listeners: Vec<String>,
    #[serde(default)]
    common_structs: Vec<CommonStruct>,
    #[serde(default)]
    fields: Vec<FieldDefinition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CommonStruct {
    name: String,
    #[serde(rename = "versions")]
    _versions: String,
    fields: Vec<FieldDefinition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FieldDefinition {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    versions: String,
    #[serde(default = "none")]
    nullable_versions: String,
    tagged_versions: Option<String>,
    tag: Option<u32>,
    flexible_versions: Option<String>,
    #[serde(default)]
    map_key: bool,
    fields: Option<Vec<FieldDefinition>>,
    // These say how generated Java behaves and nothing about the wire.
    #[serde(rename = "about")]
    _about: Option<String>,
    #[serde(rename = "default")]
    _default: Option<serde_json::Value>,
    #[serde(rename = "entityType")]
    _entity_type: Option<String>,
    #[serde(rename = "ignorable")]
    _ignorable: Option<bool>,
    #[serde(rename = "zeroCopy")]
    _zero_copy: Option<bool>,
}

fn none() -> String {
    "none".to_owned()
}

/// The whole file.
fn table(definitions: &BTreeMap<String, Definition>) -> Fallible<String> {
    let mut out = format!(
        "// Made by `schema-table` in protocol-tests from the message definitions of Apache Kafka {NEWEST}\n\
         // (common/message/*.json in kafka-clients). Do not edit: change the generator.\n\n\
         use super::Listener::{{Broker, Controller}};\n\
         use super::Scalar::{{Bool, Float64, Int16, Int32, Int64, Int8, Uint16, Uuid}};\n\
         use super::Type::{{Array, Bytes, Records, Scalar, String, Struct}};\n\
         use super::{{Kind, Message, Struct as S, field, message}};\n\n\
         const MAX: i16 = i16::MAX;\n\n",
    );
    writeln!(
        out,
        "pub(super) const MESSAGE_COUNT: usize = {};\n",
        definitions.len()
    )?;
    writeln!(out, "/// Every message, in the order of its name.")?;
    writeln!(
        out,
        "pub(super) static MESSAGES: [Message; MESSAGE_COUNT] = ["
    )?;
    let mut apis: BTreeMap<i16, [Option<usize>; 2]> = BTreeMap::new();
    for (index, definition) in definitions.values().enumerate() {
        writeln!(out, "    {},", message(index, definition)?)?;
        if let Some(key) = definition.api_key {
            let side = usize::from(definition.kind == "response");
            apis.entry(key).or_default()[side] = Some(index);
        }
    }
    writeln!(out, "];\n")?;
    let last = apis.keys().next_back().copied().ok_or("no API at all")?;
    writeln!(
        out,
        "/// For each API key the places of request and response in `MESSAGES`."
    )?;
    writeln!(
        out,
        "pub(super) static APIS: [Option<(u16, u16)>; {}] = [",
        last + 1
    )?;
    for key in 0..=last {
        match apis.get(&key) {
            Some([Some(request), Some(response)]) => {
                writeln!(out, "    Some(({request}, {response})), // {key}")?;
            }
            Some(_) => return Err(format!("API {key} is not a pair").into()),
            None => writeln!(out, "    None, // {key}")?,
        }
    }
    writeln!(out, "];")?;
    for definition in definitions.values() {
        Structs::new(definition).print(&mut out)?;
    }
    Ok(out)
}

fn message(index: usize, definition: &Definition) -> Fallible<String> {
    let mut line = format!("message({index}, &{})", constant(&definition.name));
    match (definition.kind.as_str(), definition.api_key) {
        ("request", Some(key)) => write!(line, ".api(Kind::Request, {key})")?,
        ("response", Some(key)) => write!(line, ".api(Kind::Response, {key})")?,
        ("header", None) => line.push_str(".header()"),
        ("data", None) => {}
        (kind, _) => return Err(format!("{}: a {kind}?", definition.name).into()),
    }
    if let Some((first, last)) = versions(&definition.valid_versions)? {
        write!(line, ".versions_in({first}, {last})")?;
    }
    if let Some((first, last)) = versions(&definition.flexible_versions)? {
        write!(line, ".flexible_in({first}, {last})")?;
    }
    if definition.latest_version_unstable {
        line.push_str(".latest_unstable()");
    }
    let mut listeners = Vec::new();
    for listener in &definition.listeners {
        listeners.push(match listener.as_str() {
            "broker" => "Broker",
            "controller" => "Controller",
            other => return Err(format!("{}: listener {other}", definition.name).into()),
        });
    }
    if !listeners.is_empty() {
        write!(line, ".served_by(&[{}])", listeners.join(", "))?;
    }
    Ok(line)
}

/// The structs of one message, each printed once, inner ones after the outer.
struct Structs<'a> {
    definition: &'a Definition,
    prefix: String,
    printed: BTreeSet<String>,
}

impl<'a> Structs<'a> {
    fn new(definition: &'a Definition) -> Self {
        Self {
            definition,
            prefix: constant(&definition.name),
            printed: BTreeSet::new(),
        }
    }

    fn print(&mut self, out: &mut String) -> Fallible<()> {
        let definition = self.definition;
        self.print_struct(out, &definition.name, &definition.fields)
    }

    fn print_struct(
        &mut self,
        out: &mut String,
        name: &str,
        fields: &'a [FieldDefinition],
    ) -> Fallible<()> {
        let constant = self.constant_of(name);
        if !self.printed.insert(constant.clone()) {
            return Ok(());
        }
        writeln!(
            out,
            "\nstatic {constant}: S = S {{ name: {name:?}, fields: &["
        )?;
        let mut inner = Vec::new();
        for field in fields {
            writeln!(out, "    {},", self.field(field)?)?;
            let element = element_type(&field.kind);
            if is_struct(element) {
                inner.push((element, self.fields_of(element, field)?));
            }
        }
        writeln!(out, "]}};")?;
        for (name, fields) in inner {
            self.print_struct(out, name, fields)?;
        }
        Ok(())
    }

    fn field(&self, field: &FieldDefinition) -> Fallible<String> {
        let problem = |what: &str| format!("{}.{}: {what}", self.definition.name, field.name);
        let (first, last) = versions(&field.versions)?.ok_or_else(|| problem("in no version"))?;
        let mut line = format!(
            "field({:?}, {}, {first}, {last})",
            field.name,
            self.type_of(&field.kind)?
        );
        if let Some((first, last)) = versions(&field.nullable_versions)? {
            write!(line, ".nullable_in({first}, {last})")?;
        }
        match (
            field.tag,
            field
                .tagged_versions
                .as_deref()
                .map(versions)
                .transpose()?
                .flatten(),
        ) {
            (Some(tag), Some((first, last))) => {
                // Such a field would have a presence byte inside the tag, which nothing here reads.
                if is_struct(&field.kind) && field.nullable_versions != "none" {
                    return Err(problem("a tagged nullable struct is not supported").into());
                }
                write!(line, ".tagged({tag}, {first}, {last})")?;
            }
            (None, None) => {}
            _ => return Err(problem("a tag without versions, or versions without a tag").into()),
        }
        if field.map_key {
            line.push_str(".key()");
        }
        match field.flexible_versions.as_deref() {
            None => {}
            Some("none") => line.push_str(".rigid()"),
            Some(_) => return Err(problem("flexible versions of its own").into()),
        }
        Ok(line)
    }

    fn type_of(&self, kind: &str) -> Fallible<String> {
        if let Some(element) = kind.strip_prefix("[]") {
            if element.starts_with("[]") {
                return Err(format!("{}: an array of arrays", self.definition.name).into());
            }
            return Ok(format!("Array(&{})", self.type_of(element)?));
        }
        let name = match kind {
            "bool" => "Scalar(Bool)",
            "bytes" => "Bytes",
            "float64" => "Scalar(Float64)",
            "int16" => "Scalar(Int16)",
            "int32" => "Scalar(Int32)",
            "int64" => "Scalar(Int64)",
            "int8" => "Scalar(Int8)",
            "records" => "Records",
            "string" => "String",
            "uint16" => "Scalar(Uint16)",
            "uint32" => "Scalar(Uint32)",
            "uuid" => "Scalar(Uuid)",
            _ if is_struct(kind) => return Ok(format!("Struct(&{})", self.constant_of(kind))),
            _ => return Err(format!("{}: type {kind}", self.definition.name).into()),
        };
        Ok(name.to_owned())
    }

    fn fields_of(&self, name: &str, field: &'a FieldDefinition) -> Fallible<&'a [FieldDefinition]> {
        if let Some(fields) = &field.fields {
            return Ok(fields);
        }
        let common = self
            .definition
            .common_structs
            .iter()
            .find(|common| common.name == name);
        let common = common.ok_or_else(|| format!("{}: no struct {name}", self.definition.name))?;
        Ok(&common.fields)
    }

    /// Struct names are unique within their message only.
    fn constant_of(&self, name: &str) -> String {
        let own = constant(name);
        if own.starts_with(&self.prefix) {
            own
        } else {
            format!("{}_{own}", self.prefix)
        }
    }
}

fn element_type(kind: &str) -> &str {
    kind.strip_prefix("[]").unwrap_or(kind)
}

fn is_struct(kind: &str) -> bool {
    kind.starts_with(|first: char| first.is_ascii_uppercase())
}

/// `3+`, `2-4`, `7` or `none`, with `MAX` for an open end.
fn versions(text: &str) -> Fallible<Option<(i16, String)>> {
    if text == "none" {
        return Ok(None);
    }
    let range = if let Some(first) = text.strip_suffix('+') {
        (first.parse()?, "MAX".to_owned())
    } else if let Some((first, last)) = text.split_once('-') {
        (first.parse()?, last.parse::<i16>()?.to_string())
    } else {
        let only = text.parse::<i16>()?;
        (only, only.to_string())
    };
    Ok(Some(range))
}

/// `MetadataResponse` as `METADATA_RESPONSE`.
fn constant(name: &str) -> String {
    let mut out = String::new();
    let mut after_lower = false;
    for character in name.chars() {
        if character.is_ascii_uppercase() && after_lower {
            out.push('_');
        }
        after_lower = !character.is_ascii_uppercase();
        out.push(character.to_ascii_uppercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_strings_stay() {
        let text = "{ // one\n \"a//b\": \"c\\\"//d\" } // two";
        assert_eq!(without_comments(text), "{ \n \"a//b\": \"c\\\"//d\" } ");
    }

    #[test]
    fn version_ranges_are_read() {
        assert_eq!(versions("none").unwrap(), None);
        assert_eq!(versions("3+").unwrap(), Some((3, "MAX".to_owned())));
        assert_eq!(versions("2-4").unwrap(), Some((2, "4".to_owned())));
        assert_eq!(versions("7").unwrap(), Some((7, "7".to_owned())));
        assert!(versions("x").is_err());
    }

    #[test]
    fn names_become_constants() {
        assert_eq!(constant("MetadataResponse"), "METADATA_RESPONSE");
        assert_eq!(constant("V3AndBelowTopics"), "V3_AND_BELOW_TOPICS");
    }
}
