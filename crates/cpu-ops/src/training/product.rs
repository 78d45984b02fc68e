//! Matrix products that write to slices. burn's product returns a new tensor, whose memory it clears and then copies on
//! one core before it computes, which takes as long as the product itself if one matrix is small.

#![allow(unsafe_code, reason = "gemm, the crate that burn-flex uses, takes pointers")]

use std::ops::Range;

use gemm::Parallelism;

/// A matrix of contiguous values, or a block of its columns.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    /// Distance between neighbours in a column, and in a row.
    strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// `rows` rows of the same length, one after the other.
    pub(super) fn of_rows(values: &'a [f32], rows: usize) -> Self {
        let columns = values.len() / rows.max(1);
        Self { values, rows, columns, strides: [columns, 1] }
    }

    /// Some columns of `rows` rows of the same length, one after the other.
    ///
    /// # Panics
    /// The rows are shorter.
    pub(super) fn of_columns(values: &'a [f32], rows: usize, columns: Range<usize>) -> Self {
        let stride = values.len() / rows.max(1);
        assert!(columns.start <= columns.end && columns.end <= stride, "columns of a matrix");
        Self { values: &values[columns.start..], rows, columns: columns.len(), strides: [stride, 1] }
    }

    pub(super) fn transposed(self) -> Self {
        let [down, across] = self.strides;
        Self { rows: self.columns, columns: self.rows, strides: [across, down], ..self }
    }
}

/// Writes the product of two matrices row by row to `to`, or adds it to the values there, on this core.
///
/// # Panics
/// The number of columns of `a` is not that of the rows of `b`, or `to` has another size than the product.
pub(super) fn multiply(a: Matrix, b: Matrix, to: &mut [f32], add: bool) {
    assert_eq!(a.columns, b.rows, "a product of matrices");
    assert_eq!(to.len(), a.rows * b.columns, "the size of the product");
    let stride = |stride: usize| stride as isize;
    // SAFETY: a matrix, or the one of which it is a block of columns, has as many values as its rows and columns need,
    // and its strides are those of rows or of columns one after the other, so every index is within its slice. A block
    // starts at its first column and ends before the matrix does, because its columns are within the rows. The last
    // assertion says the same of `to`, which nothing else can use.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            to.as_mut_ptr(),
            1,
            stride(b.columns),
            add,
            a.values.as_ptr(),
            stride(a.strides[1]),
            stride(a.strides[0]),
            b.values.as_ptr(),
            stride(b.strides[1]),
            stride(b.strides[0]),
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
