//! Messages of the {{domain}} domain: what is to be done about {{a_noun}}, and that it is done.

use millrace_protocol::{Contract, DomainName, Kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::uuid;

use crate::{{Subject}};

/// The domain's name.
pub const DOMAIN: DomainName = DomainName::new("{{domain}}");

const EXAMPLE: {{Subject}} = {{Subject}}(uuid!("01980000-0000-7000-8000-0000000000e1"));

/// Complete the {{domain}} of {{a_noun}}.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Complete {
    /// The {{noun}}.
    pub {{subject}}: {{Subject}},
}

impl Contract for Complete {
    const TYPE: &'static str = "{{domain}}.complete";
    const KIND: Kind = Kind::Command;
    fn example() -> Self {
        Self { {{subject}}: EXAMPLE }
    }
}

/// The {{domain}} of {{a_noun}} is complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Completed {
    /// The {{noun}}.
    pub {{subject}}: {{Subject}},
}

impl Contract for Completed {
    const TYPE: &'static str = "{{domain}}.completed";
    const KIND: Kind = Kind::Event;
    fn example() -> Self {
        Self { {{subject}}: EXAMPLE }
    }
}
