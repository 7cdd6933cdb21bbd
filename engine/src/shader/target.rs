//! What kernels must know of an adapter to choose their shaders.

/// Sizes of a cooperative matrix product with f16 factors and f32 sums.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CoopShape {
    /// Rows of the left factor and of the product.
    pub m: u32,
    /// Columns of the right factor and of the product.
    pub n: u32,
    /// Columns of the left factor, rows of the right one.
    pub k: u32,
}

/// What an adapter can do.
#[derive(Clone, PartialEq, Debug)]
pub struct Target {
    /// Smallest and largest subgroup, where subgroup operations can be used.
    pub subgroup: Option<(u32, u32)>,
    /// Whether shaders may compute in f16.
    pub f16: bool,
    /// A cooperative matrix product, where there is a usable one.
    pub coop: Option<CoopShape>,
    /// Whether rows that meet quantised weights may be taken in eight bits.
    pub int8: bool,
    /// Bytes of workgroup memory.
    pub workgroup_bytes: u32,
    /// Invocations of a workgroup.
    pub workgroup_size: u32,
    /// Workgroups of a dispatch along one axis.
    pub groups: u32,
}

impl Target {
    /// Name to define where shaders may use subgroup operations.
    pub(crate) fn subgroup_define(&self) -> Option<&'static str> {
        self.subgroup.map(|_| "SUBGROUPS")
    }
}
