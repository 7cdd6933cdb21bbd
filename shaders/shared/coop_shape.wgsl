// Fragments of matrix cores: their types; rows and columns of each; the threads of eight subgroups.
#variants COOP16 COOP16_WAVE64 COOP8

#ifdef COOP8
const FRAGMENT: u32 = 8;
const SIZE: u32 = 64;
alias Left = coop_mat8x8<f16, A>;
alias Right = coop_mat8x8<f16, B>;
alias Sum = coop_mat8x8<f32, C>;
#else
const FRAGMENT: u32 = 16;
alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Sum = coop_mat16x16<f32, C>;
#ifdef COOP16_WAVE64
const SIZE: u32 = 512;
#else
const SIZE: u32 = 256;
#endif
#endif
