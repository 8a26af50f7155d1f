//! What values a configuration takes, and how Kafka words it if it does not take one.

use std::fmt;

/// The type of a configuration's value; the ids are those of DescribeConfigs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Class,
    Double,
    Int,
    List,
    Long,
    Password,
    Short,
    String,
}

impl Kind {
    pub(crate) const fn id(self) -> i8 {
        match self {
            Self::Boolean => 1,
            Self::String => 2,
            Self::Int => 3,
            Self::Short => 4,
            Self::Long => 5,
            Self::Double => 6,
            Self::List => 7,
            Self::Class => 8,
            Self::Password => 9,
        }
    }

    /// What is wrong with the value.
    pub(super) fn fault(self, value: &str) -> Option<Fault> {
        let number = |parsed: bool, name| (!parsed).then_some(Fault::NotANumber(name));
        match self {
            Self::Boolean => {
                let known =
                    value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false");
                (!known).then_some(Fault::NotABoolean)
            }
            Self::Double => number(value.trim().parse::<f64>().is_ok(), "DOUBLE"),
            Self::Int => number(value.trim().parse::<i32>().is_ok(), "INT"),
            Self::Long => number(value.trim().parse::<i64>().is_ok(), "LONG"),
            Self::Short => number(value.trim().parse::<i16>().is_ok(), "SHORT"),
            Self::Class | Self::List | Self::Password | Self::String => None,
        }
    }
}

/// Which of the values of a type are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    /// A compression level of gzip: 1 to 9, or -1 for its default.
    Level,
    /// One of these, or a list of them.
    OneOf(&'static [&'static str]),
}

impl Range {
    pub(super) fn fault(self, kind: Kind, value: &str) -> Option<Fault> {
        let is_double = kind == Kind::Double;
        let below = |least: i64| {
            if is_double {
                let number = value.trim().parse::<f64>();
                return number.is_ok_and(|number| number < as_double(least));
            }
            value
                .trim()
                .parse::<i64>()
                .is_ok_and(|number| number < least)
        };
        let above = |most: i64| {
            if is_double {
                let number = value.trim().parse::<f64>();
                return number.is_ok_and(|number| number > as_double(most));
            }
            value
                .trim()
                .parse::<i64>()
                .is_ok_and(|number| number > most)
        };
        match self {
            Self::Any => None,
            Self::AtLeast(least) => below(least).then_some(Fault::Below(least)),
            Self::Between(least, _) if below(least) => Some(Fault::Below(least)),
            Self::Between(_, most) => above(most).then_some(Fault::Above(most)),
            Self::Level => {
                let outside = value.trim() != "-1" && (below(1) || above(9));
                outside.then_some(Fault::NoLevel)
            }
            Self::OneOf(known) => {
                let unknown = |value: &str| !known.contains(&value);
                let fault = if kind == Kind::List {
                    list(value).any(unknown)
                } else {
                    unknown(value)
                };
                fault.then_some(Fault::NotOneOf(known))
            }
        }
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the bounds of the table are small"
)]
const fn as_double(number: i64) -> f64 {
    number as f64
}

/// The elements of a list.
pub(crate) fn list(value: &str) -> impl Iterator<Item = &str> {
    let elements = value.split(',').map(str::trim);
    elements.filter(|element| !element.is_empty())
}

/// Why a configuration does not take a value, in Kafka's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Above(i64),
    Below(i64),
    NoLevel,
    NotABoolean,
    NotANumber(&'static str),
    NotOneOf(&'static [&'static str]),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Above(most) => write!(f, "Value must be no more than {most}"),
            Self::Below(least) => write!(f, "Value must be at least {least}"),
            Self::NoLevel => f.write_str("Value must be between 1 and 9 or equal to -1"),
            Self::NotABoolean => f.write_str("Expected value to be either true or false"),
            Self::NotANumber(name) => write!(f, "Not a number of type {name}"),
            Self::NotOneOf(known) => write!(f, "String must be one of: {}", known.join(", ")),
        }
    }
}
