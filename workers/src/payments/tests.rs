//! Payments, given / when / then: single rules, the matrix of every state and message, and "a batch equals one by one".

use millrace_contracts::orders::{CancelReason, Cancelled, Placed};
use millrace_contracts::payments::{Captured, Charge, Declined, Refund, Refunded};
use millrace_contracts::{DeclineReason, OrderId, PaymentId};
use millrace_given::{
    self, Flow, Matrix, MemoryStore, Table, World, any_schedule, arrives, arrives_in, envelope, problem,
    published, row,
};
use millrace_protocol::{Contract, MessageId};
use proptest::prelude::*;
use uuid::Uuid;

use super::Payments;
use super::effects::{Answer, Call, Reference};
use super::rules::{Facts, Message, Payment, State};

impl MemoryStore for Facts {
    fn load(&mut self, stored: &Self) {
        self.payments.load(&stored.payments);
    }
    fn save(&self, stored: &mut Self) {
        self.payments.save(&mut stored.payments);
    }
}

fn order(number: u128) -> OrderId {
    OrderId(Uuid::from_u128(number))
}

fn payment(number: u128) -> PaymentId {
    PaymentId(Uuid::from_u128(number + 100))
}

fn reference() -> Reference {
    Reference("sandbox_1".to_owned())
}

fn reason() -> DeclineReason {
    DeclineReason::parse("card_declined").unwrap()
}

fn cancelled(order_id: OrderId, reason: CancelReason) -> Message {
    arrives::<Payments, _>(3, &Cancelled { order_id, reason, ..Cancelled::example() })
}

/// A refund that these rules asked themselves for: it has another message for its cause.
fn own_refund(order_id: OrderId) -> Message {
    let mut envelope = envelope::<Refund>(4);
    envelope.message_id = MessageId(Uuid::from_u128(5));
    arrives_in::<Payments, _>(&envelope, &Refund { order_id })
}

/// Every message that payments hears, about one order.
fn messages(order_id: OrderId) -> Vec<(&'static str, Message)> {
    let charge = Charge { order_id, payment_id: payment(1) };
    vec![
        (Placed::TYPE, arrives::<Payments, _>(2, &Placed { order_id, ..Placed::example() })),
        ("orders.cancelled (requested)", cancelled(order_id, CancelReason::Requested)),
        ("orders.cancelled (customer-deactivated)", cancelled(order_id, CancelReason::CustomerDeactivated)),
        ("orders.cancelled (payment-declined)", cancelled(order_id, CancelReason::PaymentDeclined)),
        ("orders.cancelled (payment-refunded)", cancelled(order_id, CancelReason::PaymentRefunded)),
        (Charge::TYPE, arrives::<Payments, _>(4, &charge)),
        (Refund::TYPE, arrives::<Payments, _>(1, &Refund { order_id })),
        ("payments.refund (our own)", own_refund(order_id)),
    ]
}

fn message(name: &str) -> Message {
    let found = messages(order(1)).into_iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no message {name}")).1
}

fn world(state: Option<State>) -> World<Payments> {
    let mut world = World::<Payments>::default();
    if let Some(state) = state {
        let Placed { total, payment_method, .. } = Placed::example();
        let opened = Payment { payment_id: payment(1), amount: total, method: payment_method, state };
        world.facts.payments.fill(order(1), opened, 1);
    }
    world
}

fn state(world: &World<Payments>) -> Option<State> {
    row(world.facts.payments.existing(), &order(1)).map(|payment| payment.state.clone())
}

fn captured(refund_due: bool) -> State {
    State::Captured { reference: reference(), refund_due }
}

#[test]
fn a_placed_order_opens_a_payment_named_after_the_message_that_told_of_it() {
    let mut world = world(None);
    let verdict = world.when(message(Placed::TYPE));
    assert_eq!(published(&verdict), [Charge::TYPE]);
    let opened = row(world.facts.payments.existing(), &order(1)).unwrap();
    assert_eq!(opened.payment_id, PaymentId(envelope::<Placed>(2).message_id.0));
    assert_eq!(opened.amount, Placed::example().total);
}

#[test]
fn a_pending_payment_is_charged_with_everything_the_gateway_needs() {
    let mut envelope = envelope::<Charge>(4);
    envelope.attempt = 3;
    let charge = arrives_in::<Payments, _>(&envelope, &Charge { order_id: order(1), payment_id: payment(1) });
    let Some(Call::Charge(attempt)) = world(Some(State::Pending)).call(&charge) else { panic!("no charge") };
    let Placed { total, payment_method, .. } = Placed::example();
    assert_eq!((attempt.payment_id, attempt.number), (payment(1), 3));
    assert_eq!((attempt.amount, attempt.method), (total, payment_method));
}

#[test]
fn the_gateway_s_answer_is_told_to_everybody() {
    let mut taken = world(Some(State::Pending));
    let verdict = taken.when_answered(message(Charge::TYPE), Answer::Captured(reference()));
    assert_eq!(published(&verdict), [Captured::TYPE]);
    assert_eq!(state(&taken), Some(captured(false)));

    let mut refused = world(Some(State::Pending));
    let verdict = refused.when_answered(message(Charge::TYPE), Answer::Declined(reason()));
    assert_eq!(published(&verdict), [Declined::TYPE]);
    assert_eq!(state(&refused), Some(State::Declined(reason())));
}

#[test]
fn an_order_called_off_while_the_gateway_was_asked_gets_its_money_back() {
    let mut world = world(Some(State::Pending));
    assert_eq!(published(&world.when(message("orders.cancelled (requested)"))), [""; 0]);
    let verdict = world.when_answered(message(Charge::TYPE), Answer::Captured(reference()));
    assert_eq!(published(&verdict), [Captured::TYPE, Refund::TYPE]);
    let verdict = world.when_answered(message("payments.refund (our own)"), Answer::Refunded);
    assert_eq!(published(&verdict), [Refunded::TYPE]);
}

/// The first attempt's answer was lost; the order was called off; the second attempt must not just look away.
#[test]
fn a_payment_called_off_is_still_asked_about() {
    let mut world = world(Some(State::Void));
    assert!(matches!(world.call(&message(Charge::TYPE)), Some(Call::Void(_))));
    let verdict = world.when_answered(message(Charge::TYPE), Answer::Captured(reference()));
    assert_eq!(published(&verdict), [Captured::TYPE, Refund::TYPE]);
}

#[test]
fn a_cancelled_order_that_was_paid_is_paid_back_once() {
    let mut world = world(Some(captured(false)));
    assert_eq!(published(&world.when(message("orders.cancelled (requested)"))), [Refund::TYPE]);
    assert_eq!(published(&world.when(message("orders.cancelled (requested)"))), [""; 0]);
}

#[test]
fn a_refund_is_not_refused_for_having_been_asked_for_twice_by_ourselves() {
    let mut world = world(Some(captured(true)));
    world.when_answered(message(Refund::TYPE), Answer::Refunded).unwrap();
    assert_eq!(published(&world.when(message("payments.refund (our own)"))), [""; 0]);
    assert_eq!(problem(&world.when(message(Refund::TYPE))), "payment-already-refunded");
}

#[test]
fn an_answer_to_a_question_that_was_not_asked_decides_nothing() {
    for (before, name) in
        [(State::Pending, Charge::TYPE), (State::Void, Charge::TYPE), (captured(false), Refund::TYPE)]
    {
        let mut world = world(Some(before.clone()));
        assert_eq!(world.when(message(name)).unwrap_err().to_string(), "postpone", "{before:?}, {name}");
        assert_eq!(state(&world), Some(before));
    }
}

/// The specification: every state, every message, every answer that the message's call can bring.
#[test]
fn matrix() {
    let states = [
        None,
        Some(State::Pending),
        Some(State::Void),
        Some(captured(false)),
        Some(captured(true)),
        Some(State::Declined(reason())),
        Some(State::Refunded { reference: reference() }),
    ];
    let mut matrix = Matrix::default();
    for (name, message) in messages(order(1)) {
        for before in &states {
            let call = world(before.clone()).call(&message);
            for answer in answers(call.as_ref()) {
                let asked =
                    format!("{}{}", describe(before.as_ref()), question(call.as_ref(), answer.as_ref()));
                matrix.line([name, "", &asked], world(before.clone()), (message.clone(), answer), |after| {
                    describe(row(after.payments.existing(), &order(1)).map(|payment| &payment.state))
                });
            }
        }
    }
    insta::assert_snapshot!(matrix.render("", "any payment"));
}

/// What the gateway may say. A charge that is decided after the order was called off brings its answer all the same.
fn answers(call: Option<&Call>) -> Vec<Option<Answer>> {
    let of_charge = [Answer::Captured(reference()), Answer::Declined(reason())].map(Some);
    match call {
        None => vec![None],
        Some(Call::Charge(_)) => of_charge.to_vec(),
        Some(Call::Void(_)) => [of_charge.as_slice(), &[Some(Answer::Voided)]].concat(),
        Some(Call::Refund(..)) => vec![Some(Answer::Refunded)],
    }
}

fn question(call: Option<&Call>, answer: Option<&Answer>) -> String {
    let question = match call {
        None => return String::new(),
        Some(Call::Charge(_)) => "charge",
        Some(Call::Void(_)) => "void",
        Some(Call::Refund(..)) => "refund",
    };
    let answer = match answer {
        None => "no answer",
        Some(Answer::Captured(_)) => "captured",
        Some(Answer::Declined(_)) => "declined",
        Some(Answer::Voided) => "voided",
        Some(Answer::Refunded) => "refunded",
    };
    format!(", {question}? {answer}")
}

fn describe(state: Option<&State>) -> String {
    match state {
        None => "no payment".to_owned(),
        Some(State::Captured { refund_due: true, .. }) => "captured, refund due".to_owned(),
        Some(state) => state.name().to_owned(),
    }
}

fn any_answer() -> impl Strategy<Value = Option<Answer>> {
    prop_oneof![
        Just(None),
        Just(Some(Answer::Captured(reference()))),
        Just(Some(Answer::Declined(reason()))),
        Just(Some(Answer::Voided)),
        Just(Some(Answer::Refunded)),
    ]
}

proptest! {
    /// Loading, deciding and saving a batch at once is the same as message by message, wherever it is cut.
    #[test]
    fn a_batch_equals_one_by_one(
        picks in proptest::collection::vec((0..8usize, 1..4u128, any_answer()), 1..40),
        cuts in millrace_given::any_cuts(),
    ) {
        let pick = |(kind, number, answer): &(usize, u128, Option<Answer>)| {
            (messages(order(*number)).remove(*kind).1, answer.clone())
        };
        millrace_given::a_batch_equals_one_by_one::<Payments>(&picks.iter().map(pick).collect::<Vec<_>>(), &cuts)?;
    }

    /// Events come in any order and more than once: the money of an order that was called off is never kept, however far the
    /// payment had come, and any other payment ends where the gateway said.
    #[test]
    fn any_order_and_repetition_ends_the_same(schedule in any_schedule()) {
        let answer = |call: &Call| Some(match call {
            Call::Charge(_) => Answer::Captured(Reference("pi_1".to_owned())),
            Call::Void(_) => Answer::Voided,
            Call::Refund(..) => Answer::Refunded,
        });
        let placed = Placed { order_id: order(1), ..Placed::example() };
        let begun = || Flow::<Payments>::default().answering(answer).then(&placed);
        begun().ends_the_same(&schedule)?;
        let refuse = |_: &Call| Some(Answer::Declined(DeclineReason::parse("card_declined").unwrap()));
        Flow::<Payments>::default().answering(refuse).then(&placed).ends_the_same(&schedule)?;
        let cancelled = Cancelled { order_id: order(1), reason: CancelReason::Requested, ..Cancelled::example() };
        let kept = |facts: &Facts| {
            let kept = facts.payments.existing().filter(|(_, payment)| payment.state.name() == "captured");
            kept.count()
        };
        begun().then(&cancelled).agrees_about(&schedule, kept)?;
        let mut world = World::<Payments>::default();
        world.when(arrives::<Payments, _>(1, &placed)).unwrap();
        let charge = Charge { order_id: order(1), ..Charge::example() };
        let captured = Answer::Captured(Reference("pi_1".to_owned()));
        world.when_answered(arrives::<Payments, _>(2, &charge), captured).unwrap();
        let refund = Refund { order_id: order(1) };
        Flow::given(world).answering(answer).then(&refund).then(&refund).ends_the_same(&schedule)?;
    }
}
