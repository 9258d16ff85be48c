//! The macro that reads the tables.

macro_rules! events {
    ($( in [$($product:ident),+] { $($wire:literal => $Name:ident,)+ } )+) => {
        /// The name of an event.
        ///
        /// Reading one never fails: a name that is not in the tables is kept as it came, so that
        /// an event that is new to this code passes through it unharmed.
        #[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
        #[serde(from = "String", into = "String")]
        #[non_exhaustive]
        pub enum EventName {
            $($( #[doc = concat!("`", $wire, "`")] $Name, )+)+
            #[doc(hidden)]
            _Other(OtherName),
        }

        /// A name that is not in the tables: read, never built.
        #[doc(hidden)]
        #[derive(Clone, Debug, Eq, Hash, PartialEq)]
        pub struct OtherName(Box<str>);

        impl EventName {
            /// Every event in the tables, in their order.
            pub const ALL: &[Self] = &[$($(Self::$Name,)+)+];

            /// The name as Atlassian writes it.
            pub fn as_str(&self) -> &str {
                match self { $($(Self::$Name => $wire,)+)+ Self::_Other(name) => &name.0 }
            }

            /// The products that send the event; none for a name that is not in the tables.
            pub fn products(&self) -> &'static [Product] {
                match self {
                    $($(Self::$Name)|+ => &[$(Product::$product),+],)+
                    Self::_Other(_) => &[],
                }
            }

            /// Whether the name is in the tables.
            pub fn is_known(&self) -> bool {
                !matches!(self, Self::_Other(_))
            }
        }

        impl From<&str> for EventName {
            fn from(name: &str) -> Self {
                match name {
                    $($($wire => Self::$Name,)+)+
                    _ => Self::_Other(OtherName(name.into())),
                }
            }
        }

        #[cfg(test)]
        mod table_tests {
            use super::EventName;

            #[test]
            fn every_name_reads_back_as_itself() {
                for name in EventName::ALL {
                    assert_eq!(EventName::from(name.as_str()), *name);
                    assert!(!name.products().is_empty(), "{name}");
                }
            }

            #[test]
            fn every_table_is_sorted() {
                for table in [$(&[$($wire,)+][..],)+] {
                    assert!(table.is_sorted(), "sort the table that starts with {}", table[0]);
                }
            }
        }
    };
}

pub(super) use events;
