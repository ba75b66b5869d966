//! One newtype per identifier, so that a person can never be passed where a meeting is meant.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps an identifier as it stands in the database or in a request.
            pub fn new(value: impl Into<String>) -> Self {
                Self(value.into())
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(value: &str) -> Self {
                Self(value.to_owned())
            }
        }
    };
}

id!(
    /// A tenant: one organisation with its own users, numbers and domain.
    TenantId
);
id!(
    /// A user of a tenant.
    UserId
);
id!(
    /// A device of a user, by its name, which is the user part of its address of record (`103a`).
    DeviceName
);
id!(
    /// A meeting or a meeting room.
    MeetingId
);
id!(
    /// One person in one meeting.
    PersonId
);
id!(
    /// One attempt to call one person into one meeting.
    CallId
);
