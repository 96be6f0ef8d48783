//! Identifiers of the things that the domains keep.

use millrace_protocol::id;

id!(
    /// One user.
    UserId
);
id!(
    /// One order.
    OrderId
);
id!(
    /// One payment of one order.
    PaymentId
);
id!(
    /// One API key (its name, never its secret).
    KeyId
);
