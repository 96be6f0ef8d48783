//! What the fuzz targets share: deliveries made of bytes.

use arbitrary::{Result, Unstructured};
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldArray, FieldTable, ShortString};

const DEPTH_MAX: usize = 6;
/// The ones that an envelope is read from, and those that the broker writes.
const KNOWN: [&str; 14] = [
    "version",
    "causation-id",
    "client-id",
    "attempt",
    "fingerprint",
    "traceparent",
    "tracestate",
    "failure-class",
    "failure-reason",
    "first-failed-at",
    "x-delivery-count",
    "x-death",
    "CC",
    "BCC",
];
const UUID: &str = "01980000-0000-7000-8000-000000000001";

/// A delivery with any properties, headers and body that AMQP allows and lapin reads.
pub fn delivery(input: &mut Unstructured<'_>) -> Result<Delivery> {
    let mut properties = BasicProperties::default();
    type Set = fn(BasicProperties, ShortString) -> BasicProperties;
    let texts: [Set; 8] = [
        BasicProperties::with_message_id,
        BasicProperties::with_correlation_id,
        BasicProperties::with_type,
        BasicProperties::with_content_type,
        BasicProperties::with_content_encoding,
        BasicProperties::with_app_id,
        BasicProperties::with_user_id,
        BasicProperties::with_reply_to,
    ];
    for set in texts {
        if input.ratio(7, 8)? {
            properties = set(properties, short(input)?);
        }
    }
    if input.arbitrary()? {
        properties = properties.with_timestamp(input.arbitrary()?);
    }
    if input.ratio(15, 16)? {
        properties = properties.with_headers(table(input, 0)?);
    }
    let mut delivery = Delivery::mock(1, "".into(), "orders".into(), input.arbitrary()?, Vec::new());
    delivery.properties = properties;
    delivery.data = input.bytes(input.len())?.to_vec();
    Ok(delivery)
}

fn text(input: &mut Unstructured<'_>) -> Result<String> {
    Ok(match input.int_in_range(0..=3)? {
        0 => UUID.to_owned(),
        1 => "0".repeat(32),
        2 => "orders.place".to_owned(),
        _ => input.arbitrary::<&str>()?.to_owned(),
    })
}

fn short(input: &mut Unstructured<'_>) -> Result<ShortString> {
    let text = text(input)?;
    Ok(ShortString::try_new(&text[..text.floor_char_boundary(255)]).unwrap_or_else(|_| "".into()))
}

fn table(input: &mut Unstructured<'_>, depth: usize) -> Result<FieldTable> {
    let mut table = FieldTable::default();
    for _ in 0..input.int_in_range(0..=12)? {
        let key = if input.ratio(3, 4)? { (*input.choose(&KNOWN)?).into() } else { short(input)? };
        table.insert(key, value(input, depth + 1)?);
    }
    Ok(table)
}

fn value(input: &mut Unstructured<'_>, depth: usize) -> Result<AMQPValue> {
    Ok(match input.int_in_range(0..=if depth < DEPTH_MAX { 15 } else { 13 })? {
        0 => AMQPValue::Boolean(input.arbitrary()?),
        1 => AMQPValue::ShortShortInt(input.arbitrary()?),
        2 => AMQPValue::ShortShortUInt(input.arbitrary()?),
        3 => AMQPValue::ShortInt(input.arbitrary()?),
        4 => AMQPValue::ShortUInt(input.arbitrary()?),
        5 => AMQPValue::LongInt(input.arbitrary()?),
        6 => AMQPValue::LongUInt(input.arbitrary()?),
        7 => AMQPValue::LongLongInt(input.arbitrary()?),
        8 => AMQPValue::Double(input.arbitrary()?),
        9 => AMQPValue::Timestamp(input.arbitrary()?),
        10 => AMQPValue::LongString(input.arbitrary::<&[u8]>()?.into()),
        11 => AMQPValue::ByteArray(input.arbitrary::<&[u8]>()?.into()),
        12 => AMQPValue::Void,
        13 => AMQPValue::LongString(text(input)?.into()),
        14 => AMQPValue::FieldTable(table(input, depth)?),
        _ => {
            let mut values = FieldArray::default();
            for _ in 0..input.int_in_range(0..=4)? {
                values.push(value(input, depth + 1)?);
            }
            AMQPValue::FieldArray(values)
        }
    })
}
