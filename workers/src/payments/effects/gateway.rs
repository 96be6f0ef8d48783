//! What a gateway must do: what it is asked, and what it answers.

use futures_util::future::BoxFuture;
use millrace_contracts::{DeclineReason, Money, OrderId, PaymentId, PaymentMethod};
use millrace_runtime::EffectFailure;

/// The gateway's own name for the money it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference(pub String);

/// A call to the gateway. The payment's id is its idempotency key: asking twice moves money once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    Charge(Attempt),
    /// Makes sure that this payment is not and never will be charged, or finds out that it was.
    Void(Attempt),
    Refund(Attempt, Reference),
}

/// What the gateway has to know of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub amount: Money,
    pub method: PaymentMethod,
    /// How often the message was tried, this time included.
    pub number: u32,
}

/// What the gateway says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Captured(Reference),
    Declined(DeclineReason),
    Voided,
    Refunded,
}

/// What a gateway says, or why it can't be asked now.
pub type Reply<'a> = BoxFuture<'a, Result<Answer, EffectFailure>>;

/// Takes money and pays it back.
///
/// The payment's id is the idempotency key of all three: an answer may be lost and the question asked again, by several
/// workers at once, and the money must still move once. An error says that the answer is not known.
pub trait PaymentGateway: Send + Sync + 'static {
    /// Takes the money: [`Answer::Captured`] or [`Answer::Declined`].
    fn charge<'a>(&'a self, payment: &'a Attempt) -> Reply<'a>;

    /// Makes sure that the money will not be taken any more, [`Answer::Voided`]; or says what an earlier charge came to.
    fn void<'a>(&'a self, payment: &'a Attempt) -> Reply<'a>;

    /// Pays back all of what was taken: [`Answer::Refunded`].
    fn refund<'a>(&'a self, payment: &'a Attempt, reference: &'a Reference) -> Reply<'a>;
}
