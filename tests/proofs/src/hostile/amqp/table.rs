//! Field tables: every type that brokers know, to bytes and back.

/// Keys need not be text, and one may come twice.
pub type Table = Vec<(Vec<u8>, Field)>;

/// A field's value, by the letter that stands before it (<https://www.rabbitmq.com/amqp-0-9-1-errata#section_3>).
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    Text(Vec<u8>),
    Bytes(Vec<u8>),
    Array(Vec<Field>),
    Table(Table),
    /// Any other type, or none that exists: letter and bytes.
    Other(u8, Vec<u8>),
}

/// The types of a fixed size: letter and bytes.
pub const SIZES: [(u8, usize); 13] = [
    (b't', 1),
    (b'b', 1),
    (b'B', 1),
    (b's', 2),
    (b'u', 2),
    (b'I', 4),
    (b'i', 4),
    (b'l', 8),
    (b'f', 4),
    (b'd', 8),
    (b'D', 5),
    (b'T', 8),
    (b'V', 0),
];

impl Field {
    pub fn text(text: impl AsRef<[u8]>) -> Self {
        Self::Text(text.as_ref().to_vec())
    }

    /// Signed, 32 bits.
    pub fn number(number: i32) -> Self {
        Self::Other(b'I', number.to_be_bytes().to_vec())
    }
}

/// The first field of this name.
pub fn find<'a>(table: &'a Table, name: &str) -> Option<&'a Field> {
    table.iter().find(|(key, _)| key == name.as_bytes()).map(|(_, value)| value)
}

/// A short string; bytes beyond 255 are cut off.
pub fn short(text: &[u8]) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    let mut bytes = vec![length];
    bytes.extend(&text[..usize::from(length)]);
    bytes
}

pub fn long(content: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    bytes.extend(content);
    bytes
}

/// A table with its length before it.
pub fn encode(table: &Table) -> Vec<u8> {
    let mut content = Vec::new();
    for (key, value) in table {
        content.extend(short(key));
        value.write(&mut content);
    }
    long(&content)
}

/// Tables in tables, this deep, written from the inside so that no depth is too much for our own stack.
pub fn nested(depth: usize) -> Field {
    let mut content = Vec::new();
    for _ in 0..depth {
        let mut outer = short(b"d");
        outer.push(b'F');
        outer.extend(long(&content));
        content = outer;
    }
    Field::Other(b'F', long(&content))
}

impl Field {
    fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                bytes.push(b'S');
                bytes.extend(long(text));
            }
            Self::Bytes(content) => {
                bytes.push(b'x');
                bytes.extend(long(content));
            }
            Self::Array(values) => {
                let mut content = Vec::new();
                values.iter().for_each(|value| value.write(&mut content));
                bytes.push(b'A');
                bytes.extend(long(&content));
            }
            Self::Table(table) => {
                bytes.push(b'F');
                bytes.extend(encode(table));
            }
            Self::Other(letter, content) => {
                bytes.push(*letter);
                bytes.extend(content);
            }
        }
    }
}

/// What is left to read.
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub fn short(&mut self) -> Option<&'a [u8]> {
        let [length] = self.number()?;
        self.take(usize::from(length))
    }

    pub fn long(&mut self) -> Option<&'a [u8]> {
        let length = self.number().map(u32::from_be_bytes)?;
        self.take(usize::try_from(length).ok()?)
    }

    pub fn table(&mut self) -> Option<Table> {
        Bytes(self.long()?).fields(0)
    }

    /// The fields of a table without its length.
    fn fields(&mut self, depth: usize) -> Option<Table> {
        let mut table = Table::new();
        while !self.0.is_empty() {
            table.push((self.short()?.to_vec(), self.field(depth)?));
        }
        Some(table)
    }

    /// Tables that are nested deeper than needed are left as bytes.
    fn field(&mut self, depth: usize) -> Option<Field> {
        const DEPTH_MAX: usize = 4;
        let [letter] = self.number()?;
        Some(match letter {
            b'S' => Field::Text(self.long()?.to_vec()),
            b'x' => Field::Bytes(self.long()?.to_vec()),
            b'A' | b'F' if depth >= DEPTH_MAX => Field::Other(letter, self.long()?.to_vec()),
            b'A' => {
                let mut content = Bytes(self.long()?);
                let mut values = Vec::new();
                while !content.0.is_empty() {
                    values.push(content.field(depth + 1)?);
                }
                Field::Array(values)
            }
            b'F' => Field::Table(Bytes(self.long()?).fields(depth + 1)?),
            // A signed number by another letter, which some brokers write.
            b'L' => Field::Other(letter, self.take(8)?.to_vec()),
            _ => {
                let (_, size) = SIZES.iter().find(|(known, _)| *known == letter)?;
                Field::Other(letter, self.take(*size)?.to_vec())
            }
        })
    }
}
