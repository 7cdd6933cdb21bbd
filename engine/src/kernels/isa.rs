//! The instruction sets that kernels are written for, and which of them this processor has.

use std::fmt;
use std::sync::OnceLock;

/// An instruction set that this processor has: there is no other way to come by one than to detect it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Isa(Set);

/// What kernels are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    Portable,
    /// With FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// F, BW, DQ and VL, and all of `Avx2`.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// With products of bytes.
    #[cfg(target_arch = "x86_64")]
    Avx512Vnni,
}

impl Isa {
    /// The widest, found once per process.
    pub(crate) fn best() -> Isa {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| Isa::available().into_iter().next_back().unwrap_or(Isa(Set::Portable)))
    }

    /// All that this processor has, the widest last.
    pub(crate) fn available() -> Vec<Isa> {
        let mut all = vec![Isa(Set::Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            let avx2 = has!("avx2") && has!("fma") && has!("f16c");
            if avx2 {
                all.push(Isa(Set::Avx2));
            }
            if avx2 && has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl") {
                all.push(Isa(Set::Avx512));
                if has!("avx512vnni") {
                    all.push(Isa(Set::Avx512Vnni));
                }
            }
        }
        all
    }

    /// Which it is.
    pub(super) fn set(self) -> Set {
        self.0
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Set::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512Vnni => "avx512 with vnni",
        })
    }
}
