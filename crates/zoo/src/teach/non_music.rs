//! Features of sounds that are no music, from which every taught head learns *none of these*.

use burn::tensor::{Bytes, DType, TensorData};
use burn_pack::{Reader, Tensor, Writer};

/// Name of the tensor with the features of the golden signal.
const GOLDEN: &str = "golden";
/// Largest difference of a feature of the golden signal, relative to the largest feature. Half precision and other
/// devices stay well below it, and other weights are far above it.
const TOLERANCE: f32 = 0.01;

/// Why the features of non-music cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NonMusicError {
    /// It is no burnpack file, or one of something else.
    #[error("the features of non-music cannot be read: {0}")]
    Parse(String),
    /// Another network computed them.
    #[error("the features of non-music belong to another network: that of the embedding has other weights")]
    Network,
}

/// Features of non-music sounds, by kind, and those of the golden signal, which tell the network that they belong
/// to.
#[derive(Clone, Debug, PartialEq)]
pub struct NonMusic {
    kinds: Vec<String>,
    /// Rows of each kind, one after the other.
    rows: Vec<Vec<f32>>,
    golden: Vec<f32>,
}

impl NonMusic {
    /// Features by kind, rows one after the other, and the features of [`crate::golden_signal`].
    ///
    /// # Errors
    /// A kind has no row or an incomplete one, or is named `golden`.
    pub fn new(kinds: Vec<(String, Vec<f32>)>, golden: Vec<f32>) -> Result<Self, NonMusicError> {
        let parse = |what: &str| Err(NonMusicError::Parse(what.into()));
        if golden.is_empty() {
            return parse("there is no golden row");
        }
        for (kind, rows) in &kinds {
            if kind == GOLDEN || rows.is_empty() || !rows.len().is_multiple_of(golden.len()) {
                return parse(&format!("the kind {kind} has no complete rows"));
            }
        }
        if kinds.iter().flat_map(|(_, rows)| rows).chain(&golden).any(|x| !x.is_finite()) {
            return parse("a value is not a finite number");
        }
        let (kinds, rows) = kinds.into_iter().unzip();
        Ok(Self { kinds, rows, golden })
    }

    /// Reads a burnpack file with one tensor `[rows, features]` for each kind.
    ///
    /// # Errors
    /// It is not such a file.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, NonMusicError> {
        let parse = |error: burn_pack::Error| NonMusicError::Parse(error.to_string());
        let reader = Reader::from_bytes(Bytes::from_bytes_vec(bytes)).map_err(parse)?;
        let (mut kinds, mut golden) = (Vec::new(), Vec::new());
        for tensor in reader.into_tensors().map_err(parse)? {
            let (name, dtype, shape, _, bytes) = tensor.into_parts().map_err(parse)?;
            if dtype != DType::F16 && dtype != DType::F32 {
                return Err(NonMusicError::Parse(format!("{name} is neither of 16 nor of 32 bits")));
            }
            let values = TensorData::from_bytes(bytes, shape, dtype).convert::<f32>();
            let values = values.try_to_vec::<f32>().map_err(|e| NonMusicError::Parse(format!("{e:?}")))?;
            if name == GOLDEN { golden = values } else { kinds.push((name, values)) }
        }
        kinds.sort_by(|a, b| a.0.cmp(&b.0));
        Self::new(kinds, golden)
    }

    /// The file that [`NonMusic::from_bytes`] reads, in half precision.
    ///
    /// # Errors
    /// The values cannot be written.
    pub fn to_bytes(&self) -> Result<Vec<u8>, NonMusicError> {
        let parse = |error: burn_pack::Error| NonMusicError::Parse(error.to_string());
        let width = self.width();
        let tensor = |(name, rows): (&str, &Vec<f32>)| {
            let shape = [rows.len() / width, width];
            let data = TensorData::new(rows.clone(), shape).convert_dtype(DType::F16);
            Tensor::new(name.to_owned(), DType::F16, shape, None, data.into_bytes())
        };
        let kinds = self.kinds.iter().map(String::as_str).zip(&self.rows);
        let tensors = kinds.chain([(GOLDEN, &self.golden)]).map(tensor).collect();
        Ok(Writer::new(tensors).into_bytes().map_err(parse)?.to_vec())
    }

    /// Whether the network with these features of the golden signal computed the rows.
    ///
    /// # Errors
    /// Another network did.
    pub fn check(&self, golden: &[f32]) -> Result<(), NonMusicError> {
        let most = self.golden.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let near = |(a, b): (&f32, &f32)| (a - b).abs() <= TOLERANCE * most;
        let same = golden.len() == self.golden.len() && golden.iter().zip(&self.golden).all(near);
        if same { Ok(()) } else { Err(NonMusicError::Network) }
    }

    /// Names of the kinds.
    pub fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// Number of features.
    pub fn width(&self) -> usize {
        self.golden.len()
    }

    /// The rows of a kind, one after the other.
    pub(super) fn rows(&self, kind: usize) -> &[f32] {
        self.rows.get(kind).map_or(&[], Vec::as_slice)
    }
}
