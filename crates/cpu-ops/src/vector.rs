//! SIMD vectors of `f32` of the machine's width.
//!
//! Plain loops over arrays are not enough: the compiler vectorises them for some sizes of tiles only (in
//! the same source, 8 channels were vectorised and 12 were not). Both crates behind this trait have a safe
//! interface and select the instructions themselves.

/// The operations that a kernel needs.
///
/// `self` is a token that proves that the machine supports the instructions.
pub(crate) trait Vectors: Copy {
    /// `LANES` values.
    type Vector: Copy;
    /// Number of values in a vector.
    const LANES: usize;

    /// One value in every lane.
    fn splat(self, value: f32) -> Self::Vector;

    /// The first `LANES` values of a slice.
    fn load(self, values: &[f32]) -> Self::Vector;

    /// Writes to the first `LANES` values of a slice.
    fn store(self, vector: Self::Vector, values: &mut [f32]);

    /// `a · b + c`, rounded once or twice.
    fn multiply_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;

    /// The larger value of each lane; unspecified if one is NaN.
    fn max(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
}

/// Work that is generic in the vectors.
pub(crate) trait Work {
    /// Runs the work. It and everything it calls must be `#[inline(always)]`, because only inlined code is
    /// compiled for the selected instructions.
    fn run<V: Vectors>(self, vectors: V);
}

#[cfg(target_arch = "wasm32")]
mod machine {
    use wide::f32x4;

    use super::{Vectors, Work};

    #[derive(Clone, Copy)]
    struct Wide;

    impl Vectors for Wide {
        type Vector = f32x4;
        const LANES: usize = 4;

        #[inline(always)]
        fn splat(self, value: f32) -> f32x4 {
            f32x4::splat(value)
        }

        #[inline(always)]
        fn load(self, values: &[f32]) -> f32x4 {
            f32x4::from(values.as_chunks::<4>().0[0])
        }

        #[inline(always)]
        fn store(self, vector: f32x4, values: &mut [f32]) {
            values.as_chunks_mut::<4>().0[0] = vector.to_array();
        }

        #[inline(always)]
        fn multiply_add(self, a: f32x4, b: f32x4, c: f32x4) -> f32x4 {
            a * b + c
        }

        #[inline(always)]
        fn max(self, a: f32x4, b: f32x4) -> f32x4 {
            a.fast_max(b)
        }
    }

    /// Runs work with the vectors of this machine.
    #[inline(never)]
    pub(crate) fn dispatch(work: impl Work) {
        work.run(Wide);
    }

    /// Number of values in a vector.
    pub(crate) fn lanes() -> usize {
        Wide::LANES
    }

    /// Runs a closure.
    #[cfg(feature = "training")]
    pub(crate) fn vectorise<R>(work: impl FnOnce() -> R) -> R {
        work()
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod machine {
    use pulp::{Arch, Simd, WithSimd};

    use super::{Vectors, Work};

    #[derive(Clone, Copy)]
    struct Pulp<S>(S);

    impl<S: Simd> Vectors for Pulp<S> {
        type Vector = S::f32s;
        const LANES: usize = S::F32_LANES;

        #[inline(always)]
        fn splat(self, value: f32) -> S::f32s {
            self.0.splat_f32s(value)
        }

        #[inline(always)]
        fn load(self, values: &[f32]) -> S::f32s {
            S::as_simd_f32s(values).0[0]
        }

        #[inline(always)]
        fn store(self, vector: S::f32s, values: &mut [f32]) {
            S::as_mut_simd_f32s(values).0[0] = vector;
        }

        #[inline(always)]
        fn multiply_add(self, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
            self.0.mul_add_e_f32s(a, b, c)
        }

        #[inline(always)]
        fn max(self, a: S::f32s, b: S::f32s) -> S::f32s {
            self.0.max_f32s(a, b)
        }
    }

    struct Dispatched<W>(W);

    impl<W: Work> WithSimd for Dispatched<W> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            self.0.run(Pulp(simd));
        }
    }

    /// Runs work with the vectors of this machine.
    pub(crate) fn dispatch(work: impl Work) {
        Arch::new().dispatch(Dispatched(work));
    }

    /// Number of values in a vector.
    pub(crate) fn lanes() -> usize {
        struct Lanes;

        impl WithSimd for Lanes {
            type Output = usize;

            #[inline(always)]
            fn with_simd<S: Simd>(self, _simd: S) -> usize {
                S::F32_LANES
            }
        }

        Arch::new().dispatch(Lanes)
    }

    /// Runs a closure, compiled for the vectors of this machine. It and what it calls must be `#[inline(always)]`.
    #[cfg(feature = "training")]
    pub(crate) fn vectorise<R>(work: impl FnOnce() -> R) -> R {
        Arch::new().dispatch(work)
    }
}

#[cfg(feature = "training")]
pub(crate) use machine::vectorise;
pub(crate) use machine::{dispatch, lanes};
