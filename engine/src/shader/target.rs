//! What kernels must know of an adapter to choose their shaders.

/// Sizes of a cooperative matrix product with f16 factors and f32 sums.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct CoopShape {
    pub(crate) m: u32,
    pub(crate) n: u32,
    pub(crate) k: u32,
}

/// What an adapter can do.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Target {
    /// Smallest and largest subgroup, where subgroup operations can be used.
    pub(crate) subgroup: Option<(u32, u32)>,
    /// Whether shaders may compute in f16.
    pub(crate) f16: bool,
    /// A cooperative matrix product, where there is a usable one.
    pub(crate) coop: Option<CoopShape>,
    /// Bytes of workgroup memory.
    pub(crate) workgroup_bytes: u32,
    /// Invocations of a workgroup.
    pub(crate) workgroup_size: u32,
    /// Workgroups of a dispatch along one axis.
    pub(crate) groups: u32,
}

impl Target {
    /// Name to define where shaders may use subgroup operations.
    pub(crate) fn subgroup_define(&self) -> Option<&'static str> {
        self.subgroup.map(|_| "SUBGROUPS")
    }
}
