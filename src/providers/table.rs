//! Enums that are declared as tables.

/// Declares the steps of a provider: one row for each step, with its rule.
macro_rules! steps {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$step_meta:meta])* $step:ident = $rule:expr),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        $vis enum $name { $($(#[$step_meta])* $step),* }

        impl $name {
            /// Returns the rule of this step.
            pub(in crate::providers) const fn rule(self) -> &'static crate::provider::Rule {
                match self { $(Self::$step => const { &$rule }),* }
            }
        }
    };
}

/// Declares how the steps of a provider are read that has those of `Call` beside its own: by name. An attempt at the one
/// before the other, as `#[serde(untagged)]` has it, costs more than all the rest of a session's text.
macro_rules! reads_steps {
    ($name:ident: $($text:literal => $own:ident),*) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Name;

                impl serde::de::Visitor<'_> for Name {
                    type Value = $name;

                    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                        f.write_str("the name of a step")
                    }

                    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<$name, E> {
                        match name {
                            $($text => Ok($name::$own),)*
                            _ => serde::Deserialize::deserialize(serde::de::value::StrDeserializer::new(name)).map($name::Call),
                        }
                    }
                }

                from.deserialize_str(Name)
            }
        }
    };
}

/// Declares an enum whose variants have a stable code for logs (`= "code"`), a text for `Display` (`=> "text"`), or both.
///
/// A text may use the fields by their names. An enum with texts is an error.
macro_rules! named {
    // Codes.
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$row_meta:meta])* $row:ident = $code:literal),* $(,)?
    }) => {
        $(#[$meta])*
        $vis enum $name { $($(#[$row_meta])* $row),* }

        impl $name {
            /// Returns a stable name for logs.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$row => $code),* }
            }
        }
    };
    // Codes and texts.
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$row_meta:meta])* $row:ident = $code:literal => $text:literal),* $(,)?
    }) => {
        named! { $(#[$meta])* $vis enum $name { $($(#[$row_meta])* $row = $code),* } }
        named! { @text $name { $($row => $text),* } }
    };
    // Texts.
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $(
            $(#[$row_meta:meta])* $row:ident
            $(($value:ident: $type:ty))?
            $({ $($(#[$field_meta:meta])* $field:ident: $field_type:ty),* $(,)? })?
            => $text:literal
        ),* $(,)?
    }) => {
        $(#[$meta])*
        $vis enum $name {
            $($(#[$row_meta])* $row $(($type))? $({ $($(#[$field_meta])* $field: $field_type),* })?),*
        }
        named! { @text $name { $($row $(($value))? $({ $($field),* })? => $text),* } }
    };
    (@text $name:ident {
        $($row:ident $(($value:ident))? $({ $($field:ident),* })? => $text:literal),*
    }) => {
        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self { $(Self::$row $(($value))? $({ $($field),* })? => write!(f, $text)),* }
            }
        }

        impl std::error::Error for $name {}
    };
}

pub(crate) use {named, reads_steps, steps};
