//! The macros that expand the tables of events.

/// Makes [`EventName`](super::EventName) from all names, and [`TABLE`](super::TABLE) from all
/// lines.
macro_rules! names {
    (
        shared { $($both:literal => $Both:ident:
            $InJira:ident, $jira_era:ident, $jira_basis:ident, $jira_naming:tt |
            $InConfluence:ident, $confluence_era:ident, $confluence_basis:ident;)+ }
        jira { $($jira:literal => $Jira:ident: $Payload:ident, $era:ident, $basis:ident, $naming:tt;)+ }
        confluence { $($confluence:literal => $Confluence:ident: $($confluence_line:ident),+;)+ }
    ) => {
        /// The name of an event.
        ///
        /// Deserializing never fails: a name that is not in the tables is kept as it came, so that
        /// unknown events are passed on.
        #[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
        #[serde(from = "String", into = "String")]
        #[non_exhaustive]
        pub enum EventName {
            $( #[doc = concat!("`", $both, "`")] $Both, )+
            $( #[doc = concat!("`", $jira, "`")] $Jira, )+
            $( #[doc = concat!("`", $confluence, "`")] $Confluence, )+
            #[doc(hidden)]
            _Other(OtherName),
        }

        /// A name that is not in the tables. It can only be deserialized, not constructed.
        #[doc(hidden)]
        #[derive(Clone, Debug, Eq, Hash, PartialEq)]
        pub struct OtherName(Box<str>);

        impl EventName {
            /// All events in the tables, in their order.
            pub const ALL: &[Self] =
                &[$(Self::$Both,)+ $(Self::$Jira,)+ $(Self::$Confluence,)+];

            /// The name as Atlassian writes it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$Both => $both,)+
                    $(Self::$Jira => $jira,)+
                    $(Self::$Confluence => $confluence,)+
                    Self::_Other(name) => &name.0,
                }
            }

            /// The products that send the event. Empty for a name that is not in the tables.
            pub fn products(&self) -> &'static [Product] {
                match self {
                    $(Self::$Both)|+ => &[Product::Jira, Product::Confluence],
                    $(Self::$Jira)|+ => &[Product::Jira],
                    $(Self::$Confluence)|+ => &[Product::Confluence],
                    Self::_Other(_) => &[],
                }
            }
        }

        impl From<&str> for EventName {
            fn from(name: &str) -> Self {
                match name {
                    $($both => Self::$Both,)+
                    $($jira => Self::$Jira,)+
                    $($confluence => Self::$Confluence,)+
                    _ => Self::_Other(OtherName(name.into())),
                }
            }
        }

        /// All events of both products.
        ///
        /// | event | product | era | basis | payload |
        /// |---|---|---|---|---|
        $(#[doc = line_doc!($both, jira, "Jira", $InJira, $jira_era, $jira_basis)]
          #[doc = line_doc!($both, confluence, "Confluence", $InConfluence, $confluence_era, $confluence_basis)])+
        $(#[doc = line_doc!($jira, jira, "Jira", $Payload, $era, $basis)])+
        $(#[doc = line_doc!($confluence, confluence, "Confluence", $($confluence_line),+)])+
        pub const TABLE: &[EventSpec] = &[
            $(line!(Jira, $Both, jira, $InJira, $jira_era, $jira_basis, $jira_naming),
              line!(Confluence, $Both, confluence, $InConfluence, $confluence_era, $confluence_basis, none),)+
            $(line!(Jira, $Jira, jira, $Payload, $era, $basis, $naming),)+
            $(line!(Confluence, $Confluence, confluence, $($confluence_line),+, none),)+
        ];

        #[cfg(test)]
        const SECTIONS: [&[&str]; 3] = [&[$($both),+], &[$($jira),+], &[$($confluence),+]];
    };
}

/// One line of the tables as a value.
macro_rules! line {
    ($Product:ident, $Name:ident, $product:ident, $Payload:ident, $era:ident, $basis:ident, $naming:tt) => {
        EventSpec {
            product: Product::$Product,
            event: EventName::$Name,
            era: Era::$era,
            basis: Basis::$basis,
            naming: naming!($naming),
            payload: stringify!($Payload),
            payload_type: TypeId::of::<$product::$Payload>(),
        }
    };
}

/// The last column of an event of Jira as a value.
macro_rules! naming {
    (own) => {
        Naming::Own
    };
    (none) => {
        Naming::None
    };
    ([$Other:ident $member:literal]) => {
        Naming::Other { event: EventName::$Other, member: $member }
    };
}

/// One line of the tables as a line of documentation.
macro_rules! line_doc {
    ($name:literal, $product:ident, $title:literal, $Payload:ident, $era:ident, $basis:ident) => {
        concat!(
            "| `",
            $name,
            "` | ",
            $title,
            " | ",
            stringify!($era),
            " | ",
            stringify!($basis),
            " | [`",
            stringify!($Payload),
            "`](",
            stringify!($product),
            "::",
            stringify!($Payload),
            ") |"
        )
    };
}

/// Makes the typed events of Jira.
macro_rules! jira_events {
    (
        shared { $($both:literal => $Both:ident: $InJira:ident, $_:ident, $__:ident, $______:tt | $($___:ident),+;)+ }
        jira { $($name:literal => $Name:ident: $Payload:ident, $____:ident, $_____:ident, $_______:tt;)+ }
        confluence { $($________:tt)+ }
    ) => {
        $crate::event::table::product_events! {
            Jira $($both $Both $InJira)+ $($name $Name $Payload)+
        }
    };
}

/// Makes the typed events of Confluence.
macro_rules! confluence_events {
    (
        shared { $($both:literal => $Both:ident: $($_:tt),+ | $InConfluence:ident, $__:ident, $___:ident;)+ }
        jira { $($____:tt)+ }
        confluence { $($name:literal => $Name:ident: $Payload:ident, $_____:ident, $______:ident;)+ }
    ) => {
        $crate::event::table::product_events! {
            Confluence $($both $Both $InConfluence)+ $($name $Name $Payload)+
        }
    };
}

/// Makes the enum of one product's events, and its reader.
macro_rules! product_events {
    ($Product:ident $($name:literal $Name:ident $Payload:ident)+) => {
        #[doc = concat!("An event of ", stringify!($Product), " with its payload, read.")]
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum Event {
            $( #[doc = concat!("`", $name, "`")] $Name(Box<$Payload>), )+
            /// An event that the product's table does not list. Only its name; the delivery
            /// contains the unread payload.
            Unknown(EventName),
        }

        impl Event {
            /// The name of the event.
            pub fn name(&self) -> EventName {
                match self { $(Self::$Name(_) => EventName::$Name,)+ Self::Unknown(name) => name.clone() }
            }
        }

        impl FromPayload for Event {
            fn from_payload(
                product: Product,
                event: &EventName,
                payload: &Payload,
                reading: &mut Reading,
            ) -> Result<Self, Unreadable> {
                if product != Product::$Product {
                    return Err(Unreadable::product(product, event, Product::$Product));
                }
                Ok(match event {
                    $(EventName::$Name => Self::$Name(Box::new(decode(stringify!($Payload), product, event, payload, reading)?)),)+
                    _ => Self::Unknown(event.clone()),
                })
            }
        }
    };
}

pub(super) use {confluence_events, jira_events, line, line_doc, names, naming, product_events};
