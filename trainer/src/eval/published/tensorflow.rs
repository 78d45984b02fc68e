//! Reads TensorFlow's checkpoints (`TensorBundle`) without TensorFlow.
//!
//! A checkpoint with one shard has two files. The index is a table in LevelDB's format: sorted keys in
//! blocks, where each key is stored without the prefix that it shares with the key before. The table's
//! values are protocol buffers, `BundleEntryProto`, with the offset of each variable in the data file. The
//! data file holds the values of all variables in sequence, little-endian.
//!
//! Formats: `leveldb/doc/table_format.md`, `tensorflow/core/protobuf/tensor_bundle.proto`.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};

/// Last eight bytes of a table.
const MAGIC: u64 = 0xdb47_7524_8b80_fb57;
/// Length of the footer in bytes: two padded block handles and [`MAGIC`].
const FOOTER: usize = 48;
/// `DT_FLOAT` of TensorFlow's `DataType`.
const FLOAT: u64 = 1;
/// Maximum size of an index in bytes. Each variable takes some hundred bytes.
const MAX_INDEX: usize = 1 << 26;

/// A variable of single precision.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Values in row-major order.
    pub values: Vec<f32>,
}

/// All variables of a checkpoint by their names.
#[derive(Clone, Debug, Default)]
pub struct Checkpoint {
    variables: BTreeMap<String, Variable>,
}

impl Checkpoint {
    /// Reads the two files of a checkpoint, `….index` and `….data-00000-of-00001`.
    ///
    /// Variables of types other than single precision are skipped.
    ///
    /// # Errors
    /// The index is not a table or is compressed, the checkpoint has several shards, or a variable lies outside
    /// of the data.
    pub fn read(index: &[u8], data: &[u8]) -> Result<Self> {
        ensure!(index.len() <= MAX_INDEX, "the index has {} bytes; the maximum is {MAX_INDEX}", index.len());
        let mut variables = BTreeMap::new();
        for (key, value) in table(index)? {
            // The empty key holds the header.
            if key.is_empty() {
                let shards = Message::read(&value)?.number(1).unwrap_or(1);
                ensure!(shards == 1, "the checkpoint has {shards} shards; only one is supported");
                continue;
            }
            let name = String::from_utf8(key).context("the name of a variable is not UTF-8")?;
            if let Some(variable) = variable(&value, data).with_context(|| format!("variable {name}"))? {
                variables.insert(name, variable);
            }
        }
        Ok(Self { variables })
    }

    /// The names, sorted.
    #[cfg(test)]
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.variables.keys().map(String::as_str)
    }

    /// The values of a variable that must have this shape.
    ///
    /// # Errors
    /// The variable is missing or has another shape.
    pub fn take(&self, name: &str, shape: &[usize]) -> Result<&[f32]> {
        let variable =
            self.variables.get(name).with_context(|| format!("the checkpoint has no variable `{name}`"))?;
        ensure!(
            variable.shape == shape,
            "variable `{name}` has the shape {:?}; expected {shape:?}",
            variable.shape
        );
        Ok(&variable.values)
    }

    /// Shape of a variable.
    ///
    /// # Errors
    /// The variable is missing.
    pub fn shape(&self, name: &str) -> Result<&[usize]> {
        let variable = self.variables.get(name);
        Ok(&variable.with_context(|| format!("the checkpoint has no variable `{name}`"))?.shape)
    }
}

/// The variable that a `BundleEntryProto` describes; `None` if it is of another type.
fn variable(entry: &[u8], data: &[u8]) -> Result<Option<Variable>> {
    let entry = Message::read(entry)?;
    if entry.number(1) != Some(FLOAT) {
        return Ok(None);
    }
    ensure!(entry.number(3).unwrap_or(0) == 0, "it is in another shard");
    let mut shape = Vec::new();
    if let Some(dimensions) = entry.bytes(2) {
        for dimension in Message::read(dimensions)?.all(2) {
            let size = Message::read(dimension)?.number(1).unwrap_or(0);
            shape.push(usize::try_from(size).context("a dimension is too large")?);
        }
    }
    let offset = usize::try_from(entry.number(4).unwrap_or(0))?;
    let size = usize::try_from(entry.number(5).unwrap_or(0))?;
    let count = shape.iter().try_fold(1_usize, |all, n| all.checked_mul(*n));
    ensure!(
        count.and_then(|n| n.checked_mul(4)) == Some(size),
        "{size} bytes do not fit the shape {shape:?} in single precision"
    );
    let bytes = offset.checked_add(size).and_then(|end| data.get(offset..end));
    let bytes = bytes.context("the data file ends before the variable")?;
    let (floats, _) = bytes.as_chunks::<4>();
    Ok(Some(Variable { shape, values: floats.iter().map(|b| f32::from_le_bytes(*b)).collect() }))
}

/// Keys and values.
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// All keys and values of a table.
fn table(bytes: &[u8]) -> Result<Pairs> {
    let start = bytes.len().checked_sub(FOOTER).context("the index is too short for a table")?;
    let footer = bytes.get(start..).unwrap_or_default();
    let magic = footer.last_chunk::<8>().map(|b| u64::from_le_bytes(*b));
    ensure!(magic == Some(MAGIC), "the index is not a table, because its last bytes are wrong");
    let mut reader = Reader(footer);
    let _meta = (reader.varint()?, reader.varint()?);
    let handle = (reader.varint()?, reader.varint()?);
    let mut pairs = Vec::new();
    for (_, handle) in block(bytes, handle)? {
        let mut reader = Reader(&handle);
        let handle = (reader.varint()?, reader.varint()?);
        pairs.extend(block(bytes, handle)?);
    }
    Ok(pairs)
}

/// Keys and values of the block at `(offset, size)`.
fn block(bytes: &[u8], (offset, size): (u64, u64)) -> Result<Pairs> {
    let (offset, size) = (usize::try_from(offset)?, usize::try_from(size)?);
    let end = offset.checked_add(size).context("a block lies outside of the index")?;
    let body = bytes.get(offset..end).context("a block lies outside of the index")?;
    match bytes.get(end) {
        Some(0) => {}
        Some(kind) => bail!("the index is compressed (type {kind}), which is not supported"),
        None => bail!("the index ends within a block"),
    }
    // After the pairs come the restart points, where keys are stored in full, and their number.
    let restarts = body.last_chunk::<4>().map(|b| u32::from_le_bytes(*b)).context("a block is empty")?;
    let tail = (restarts as usize).checked_mul(4).and_then(|n| n.checked_add(4));
    let pairs = tail.and_then(|tail| body.len().checked_sub(tail)).and_then(|n| body.get(..n));
    let mut reader = Reader(pairs.context("a block is damaged")?);
    let mut key: Vec<u8> = Vec::new();
    let mut out = Vec::new();
    while !reader.0.is_empty() {
        let (shared, own, length) = (reader.varint()?, reader.varint()?, reader.varint()?);
        let shared = usize::try_from(shared)?;
        ensure!(shared <= key.len(), "a key shares more bytes than the key before has");
        key.truncate(shared);
        key.extend_from_slice(reader.take(own)?);
        out.push((key.clone(), reader.take(length)?.to_vec()));
    }
    Ok(out)
}

/// The bytes that have not been read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8]> {
        let split = usize::try_from(count).ok().and_then(|n| self.0.split_at_checked(n));
        let (taken, rest) = split.context("the index ends within a value")?;
        self.0 = rest;
        Ok(taken)
    }

    /// A variable-length integer: seven bits per byte, the lowest first.
    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let Some((byte, rest)) = self.0.split_first() else { bail!("the index ends within a number") };
            self.0 = rest;
            value |= u64::from(byte & 127) << shift;
            if *byte < 128 {
                return Ok(value);
            }
        }
        bail!("a number is too long")
    }
}

/// A field of a protocol buffer.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a protocol buffer in their order, each with its number.
struct Message<'a>(Vec<(u64, Field<'a>)>);

impl<'a> Message<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut reader = Reader(bytes);
        let mut fields = Vec::new();
        while !reader.0.is_empty() {
            let tag = reader.varint()?;
            let field = match tag & 7 {
                0 => Field::Number(reader.varint()?),
                1 => Field::Bytes(reader.take(8)?),
                2 => {
                    let length = reader.varint()?;
                    Field::Bytes(reader.take(length)?)
                }
                5 => Field::Bytes(reader.take(4)?),
                wire => bail!("a field has the unknown type {wire}"),
            };
            fields.push((tag >> 3, field));
        }
        Ok(Self(fields))
    }

    fn number(&self, field: u64) -> Option<u64> {
        self.0.iter().rev().find_map(|(at, value)| match value {
            Field::Number(number) if *at == field => Some(*number),
            _ => None,
        })
    }

    fn all(&self, field: u64) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter_map(move |(at, value)| match value {
            Field::Bytes(bytes) if *at == field => Some(*bytes),
            _ => None,
        })
    }

    fn bytes(&self, field: u64) -> Option<&'a [u8]> {
        self.all(field).last()
    }
}

/// Writes checkpoints for tests.
#[cfg(test)]
pub(crate) mod writer {
    use super::{FOOTER, MAGIC};

    fn varint(mut value: u64, out: &mut Vec<u8>) {
        while value >= 128 {
            out.push(value as u8 | 128);
            value >>= 7;
        }
        out.push(value as u8);
    }

    fn numbers(values: &[u64]) -> Vec<u8> {
        let mut out = Vec::new();
        values.iter().for_each(|v| varint(*v, &mut out));
        out
    }

    /// A block in which each key shares the longest possible prefix with the key before.
    fn block(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut before: &[u8] = &[];
        for (key, value) in pairs {
            let shared = before.iter().zip(key).take_while(|(a, b)| a == b).count();
            out.extend(numbers(&[shared as u64, (key.len() - shared) as u64, value.len() as u64]));
            out.extend(&key[shared..]);
            out.extend(value);
            before = key;
        }
        out.extend(0_u32.to_le_bytes()); // the only restart point
        out.extend(1_u32.to_le_bytes());
        out
    }

    fn entry(shape: &[usize], offset: usize, size: usize) -> Vec<u8> {
        let mut dimensions = Vec::new();
        for size in shape {
            let dimension = numbers(&[1 << 3, *size as u64]);
            dimensions.extend(numbers(&[2 << 3 | 2, dimension.len() as u64]));
            dimensions.extend(dimension);
        }
        let mut out = numbers(&[1 << 3, 1, 2 << 3 | 2, dimensions.len() as u64]);
        out.extend(dimensions);
        out.extend(numbers(&[4 << 3, offset as u64, 5 << 3, size as u64]));
        out.extend(numbers(&[6 << 3 | 5]));
        out.extend([0; 4]); // checksum, not read
        out
    }

    /// Index and data of a checkpoint with these variables, which are sorted by name; two per block.
    pub(crate) fn checkpoint(variables: &[(String, Vec<usize>, Vec<f32>)]) -> (Vec<u8>, Vec<u8>) {
        let mut data = Vec::new();
        let mut pairs = vec![(Vec::new(), numbers(&[1 << 3, 1]))];
        for (name, shape, values) in variables {
            pairs.push((name.clone().into_bytes(), entry(shape, data.len(), 4 * values.len())));
            values.iter().for_each(|v| data.extend(v.to_le_bytes()));
        }
        let mut index = Vec::new();
        let mut handles = Vec::new();
        let write = |bytes: Vec<u8>, index: &mut Vec<u8>| {
            let handle = numbers(&[index.len() as u64, bytes.len() as u64]);
            index.extend(bytes);
            index.extend([0; 5]); // not compressed; checksum, not read
            handle
        };
        for some in pairs.chunks(2) {
            let last = some.last().map(|(key, _)| key.clone()).unwrap_or_default();
            handles.push((last, write(block(some), &mut index)));
        }
        let meta = write(block(&[]), &mut index);
        let handle = write(block(&handles), &mut index);
        let mut footer = [meta, handle].concat();
        footer.resize(FOOTER - 8, 0);
        index.extend(footer);
        index.extend(MAGIC.to_le_bytes());
        (index, data)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn small() -> (Vec<u8>, Vec<u8>) {
        let of = |name: &str, shape: &[usize], values: &[f32]| (name.into(), shape.to_vec(), values.to_vec());
        writer::checkpoint(&[
            of("dense/bias", &[2], &[0.5, -1.0]),
            of("dense/kernel", &[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            of("dense_1/bias", &[1], &[7.0]),
            of("step", &[], &[9.0]),
        ])
    }

    #[test]
    fn variables_are_found_across_blocks() {
        let (index, data) = small();
        let checkpoint = Checkpoint::read(&index, &data).unwrap();
        assert_eq!(
            checkpoint.names().collect::<Vec<_>>(),
            ["dense/bias", "dense/kernel", "dense_1/bias", "step"]
        );
        assert_eq!(checkpoint.take("dense/kernel", &[3, 2]).unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(checkpoint.take("step", &[]).unwrap(), [9.0]);
        assert_eq!(checkpoint.shape("dense/bias").unwrap(), [2]);
        let refused = |name, shape: &[usize]| checkpoint.take(name, shape).unwrap_err().to_string();
        assert!(refused("dense/kernel", &[2, 3]).contains("[3, 2]"));
        assert!(refused("conv/kernel", &[]).contains("no variable `conv/kernel`"));
    }

    #[test]
    fn damaged_files_are_errors_without_panic() {
        let (index, data) = small();
        assert!(Checkpoint::read(&index, &data[..data.len() - 1]).is_err());
        assert!(Checkpoint::read(&index[1..], &data).is_err());
        assert!(Checkpoint::read(&[], &data).is_err());
        for end in 0..index.len() {
            assert!(Checkpoint::read(&index[..end], &data).is_err(), "{end}");
        }
        // A wrong byte may go unnoticed, but must not cause a panic.
        for place in 0..index.len() {
            for bit in [1, 64, 128] {
                let mut other = index.clone();
                other[place] ^= bit;
                let _ = Checkpoint::read(&other, &data);
            }
        }
    }
}
