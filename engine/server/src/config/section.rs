//! The one place where a configuration key is said: its name, type, default and how to choose it. The structs,
//! the defaults and `docs/CONFIG.md` all come from it.

/// A key as the documentation shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDoc {
    /// Path from the top, with dots.
    pub path: String,
    /// The default, as YAML.
    pub default: String,
    /// What it means and how to choose it.
    pub doc: String,
}

/// Declares a section: a struct with serde, defaults and documentation.
macro_rules! section {
    (
        $(#[doc = $about:literal])+
        $name:ident {
            $( $(#[doc = $doc:literal])+ $key:ident : $type:ty = $default:expr, )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name { $( $(#[doc = $doc])+ pub $key: $type, )+ }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $key: $default, )+ }
            }
        }

        impl $name {
            /// Documentation of every key, below `path`.
            pub fn describe(path: &str, out: &mut Vec<crate::config::section::KeyDoc>) {
                let all = Self::default();
                $( out.push(crate::config::section::KeyDoc {
                    path: format!("{path}{}", stringify!($key)),
                    default: serde_json::to_string(&all.$key).unwrap_or_default(),
                    doc: concat!($($doc, "\n"),+).trim().replace("\n ", "\n"),
                }); )+
            }
        }
    };
}

pub(crate) use section;
