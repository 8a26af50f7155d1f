//! Which broker, and with which settings.

use milena::config::{
    ClientBuilder, ConsumerBuilder, FromProperties, Idempotent, ProducerBuilder, Transactional,
};
use milena::{Admin, ClientConfig};

use crate::failure::Failure;

/// Which broker, and with which settings.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Connect {
    /// Brokers to ask first, each as host:port, separated by commas; localhost:9092 if unset, except
    /// for demo, which then brings its own.
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
}

/// Where a broker is by default.
const LOCAL: &str = "localhost:9092";

impl Connect {
    /// The same for these brokers, with these settings where the command line does not say otherwise.
    pub(crate) fn to_brokers(&self, bootstrap: String, settings: &[(&str, &str)]) -> Self {
        let mut properties = self.properties.clone();
        for (key, value) in settings {
            if !properties.iter().any(|(given, _)| given == key) {
                properties.push(((*key).to_owned(), (*value).to_owned()));
            }
        }
        Self {
            bootstrap: Some(bootstrap),
            properties,
        }
    }

    /// The brokers to ask first.
    pub(crate) fn bootstrap(&self) -> &str {
        self.bootstrap.as_deref().unwrap_or(LOCAL)
    }

    /// Refuses options that a command which is no client cannot honour.
    pub(crate) fn is_not_for(&self, command: &str) -> Result<(), Failure> {
        if self.bootstrap.is_some() {
            let line = format!("--bootstrap means nothing to {command}");
            return Err(Failure::Usage(line));
        }
        self.takes_no_properties(command)
    }

    /// Refuses settings of clients where there is none.
    pub(crate) fn takes_no_properties(&self, command: &str) -> Result<(), Failure> {
        if self.properties.is_empty() {
            return Ok(());
        }
        Err(Failure::Usage(format!(
            "--property means nothing to {command}"
        )))
    }

    fn properties(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = [
            ("bootstrap.servers", self.bootstrap()),
            ("client.id", "milena-cli"),
        ];
        let own = own
            .iter()
            .chain(more)
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        // What is asked for by -X comes in place of what would be set here.
        let given = |key: &str| self.properties.iter().any(|(given, _)| given == key);
        own.filter(|(key, _)| !given(key))
            .chain(self.properties.iter().cloned())
            .collect()
    }

    /// Settings of a client that is neither producer nor consumer.
    pub(crate) fn client(&self) -> Result<ClientConfig, Failure> {
        Ok(told(ClientBuilder::from_properties(self.properties(&[]))?).config()?)
    }

    pub(crate) fn admin(&self) -> Result<Admin, Failure> {
        Ok(Admin::new(self.client()?)?)
    }

    /// Beside a producer or consumer, which has said already which keys mean nothing.
    pub(crate) fn admin_quietly(&self) -> Result<Admin, Failure> {
        let read = ClientBuilder::from_properties(self.properties(&[]))?;
        Ok(Admin::new(read.builder.config()?)?)
    }

    /// Settings of a producer, `more` on top of the command line's.
    pub(crate) fn producer(
        &self,
        more: &[(&str, &str)],
    ) -> Result<ProducerBuilder<Idempotent>, Failure> {
        let properties = self.properties(more);
        Ok(told(ProducerBuilder::<Idempotent>::from_properties(
            properties,
        )?))
    }

    /// Settings of a transactional producer, `more` on top of the command line's.
    pub(crate) fn transactional_producer(
        &self,
        id: &str,
        more: &[(&str, &str)],
    ) -> Result<ProducerBuilder<Transactional>, Failure> {
        let more: Vec<_> = more
            .iter()
            .copied()
            .chain([("transactional.id", id)])
            .collect();
        let properties = self.properties(&more);
        Ok(told(ProducerBuilder::<Transactional>::from_properties(
            properties,
        )?))
    }

    /// Settings of a consumer, `more` on top of the command line's.
    pub(crate) fn consumer(&self, more: &[(&str, &str)]) -> Result<ConsumerBuilder, Failure> {
        Ok(told(ConsumerBuilder::from_properties(
            self.properties(more),
        )?))
    }
}

/// Says which keys set nothing, and why.
fn told<B>(read: FromProperties<B>) -> B {
    for note in read.notes() {
        eprintln!("milena: {note}");
    }
    read.builder
}

fn property(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_replaces_what_would_be_set() {
        let connect = Connect {
            bootstrap: Some("one:1".to_owned()),
            properties: vec![property("linger.ms = 7").unwrap()],
        };
        let all = connect.properties(&[("linger.ms", "5"), ("acks", "all")]);
        let of = |key: &str| {
            let values: Vec<_> = all
                .iter()
                .filter(|(k, _)| k == key)
                .map(|(_, v)| &**v)
                .collect();
            values.join(",")
        };
        assert_eq!(
            (of("linger.ms"), of("acks")),
            ("7".to_owned(), "all".to_owned())
        );
        assert_eq!(of("bootstrap.servers"), "one:1");
    }
}
