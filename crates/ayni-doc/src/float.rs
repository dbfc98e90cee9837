//! Floats in canonical form, and as short decimals where they are ones.

/// One NaN, and no negative zero.
pub(crate) fn canonical(float: f64) -> f64 {
    if float.is_nan() {
        f64::NAN
    } else if float == 0.0 {
        0.0
    } else {
        float
    }
}

/// The most decimal places that the short form has.
pub(crate) const PLACES: usize = 15;
/// The short form's mantissa is less than this (and its negative greater), so that it is exact in a float, takes 7 bytes
/// at most, and no two short forms are the same float.
const MANTISSA: i64 = 1 << 48;

const TENS: [f64; PLACES + 1] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// The float as `mantissa / 10^places` with the fewest places, if it is exactly (to the bit) what that division gives.
pub(crate) fn to_decimal(float: f64) -> Option<(usize, i64)> {
    for (places, ten) in TENS.iter().enumerate() {
        let scaled = float * ten;
        if scaled.abs() >= MANTISSA as f64 || scaled.is_nan() {
            return None;
        }
        let mantissa = scaled.round();
        if mantissa / ten == float && mantissa.abs() < MANTISSA as f64 {
            return Some((places, mantissa as i64));
        }
    }
    None
}

/// The float that [`to_decimal`] took apart; `None` if it would not have given this mantissa and these places.
///
/// Exact: both operands are integers that a float holds, so the division is rounded once, as reading the decimal would be
/// (Clinger, "How to read floating point numbers accurately", 1990).
pub(crate) fn from_decimal(places: usize, mantissa: i64) -> Option<f64> {
    let canonical = mantissa.unsigned_abs() < MANTISSA as u64 && (places == 0 || mantissa % 10 != 0);
    canonical.then_some(mantissa as f64 / TENS.get(places)?)
}
