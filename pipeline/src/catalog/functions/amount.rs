//! Exact arithmetic on amounts: 256-bit intermediates, half-even at the ninth place, errors instead of wraps.

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Int64Type, i256};
use datafusion::common::{Result, exec_datafusion_err, exec_err};

/// Amounts, prices, quantities and rates: 38 digits, nine of them after the point.
pub const AMOUNT: DataType = DataType::Decimal128(38, 9);
const AMOUNT_SCALE: i8 = 9;
const AMOUNT_LIMIT: i128 = 10i128.pow(38);

pub fn list_sum(lists: &ArrayRef) -> Result<Decimal128Array> {
    let lists = lists.as_list::<i32>();
    let items = to_amount(lists.values())?;
    let mut sums = Vec::with_capacity(lists.len());
    for row in 0..lists.len() {
        if lists.is_null(row) {
            sums.push(None);
            continue;
        }
        let offsets = lists.value_offsets();
        let mut sum: Option<i128> = None;
        for item in offsets[row] as usize..offsets[row + 1] as usize {
            if items.is_valid(item) {
                let total = sum
                    .unwrap_or(0)
                    .checked_add(items.value(item))
                    .filter(|total| total.abs() < AMOUNT_LIMIT)
                    .ok_or_else(|| exec_datafusion_err!("list_sum: more than 38 digits"))?;
                sum = Some(total);
            }
        }
        sums.push(sum);
    }
    amounts(sums)
}

pub fn to_amount(values: &ArrayRef) -> Result<Decimal128Array> {
    match values.data_type() {
        DataType::Decimal128(_, AMOUNT_SCALE) => {
            Ok(values.as_primitive::<Decimal128Type>().clone())
        }
        DataType::Decimal128(_, scale) => {
            let decimals = values.as_primitive::<Decimal128Type>();
            let scale = *scale;
            amounts_of(
                decimals
                    .iter()
                    .map(|v| v.map(|v| (i256::from_i128(v), scale))),
            )
        }
        DataType::Decimal256(_, scale) => {
            let decimals = values.as_primitive::<Decimal256Type>();
            let scale = *scale;
            amounts_of(decimals.iter().map(|v| v.map(|v| (v, scale))))
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let texts = cast(values, &DataType::Utf8)?;
            let texts = texts.as_string::<i32>();
            let mut parsed = Vec::with_capacity(texts.len());
            for text in texts {
                parsed.push(
                    text.map(str::trim)
                        .filter(|t| !t.is_empty())
                        .map(parse_amount)
                        .transpose()?,
                );
            }
            amounts(parsed)
        }
        DataType::Null => amounts(vec![None; values.len()]),
        integer if integer.is_integer() => {
            let wide = cast(values, &DataType::Int64)?;
            let wide = wide.as_primitive::<Int64Type>();
            amounts_of(wide.iter().map(|v| v.map(|v| (i256::from(v), 0))))
        }
        other => exec_err!("expected a decimal, an integer or text, found {other}"),
    }
}

fn amounts_of(values: impl Iterator<Item = Option<(i256, i8)>>) -> Result<Decimal128Array> {
    let rounded = values
        .map(|value| {
            value
                .map(|(value, scale)| rescale(value, scale))
                .transpose()
        })
        .collect::<Result<Vec<_>>>()?;
    amounts(rounded)
}

fn rescale(value: i256, scale: i8) -> Result<i128> {
    let shift = i32::from(AMOUNT_SCALE) - i32::from(scale);
    let ten = i256::from(10i64);
    let result = if shift >= 0 {
        value.checked_mul(ten.wrapping_pow(shift as u32))
    } else {
        Some(round_half_even(value, ten.wrapping_pow(-shift as u32)))
    };
    let result = result.ok_or_else(|| exec_datafusion_err!("amount has more than 38 digits"))?;
    in_range(result)
}

/// `value / divisor`, rounded to the even neighbour on a tie. `divisor` must not be zero.
pub fn round_half_even(value: i256, divisor: i256) -> i256 {
    let quotient = value.wrapping_div(divisor);
    let rest = value.wrapping_rem(divisor);
    let two = i256::from(2i64);
    let twice = rest.wrapping_abs().wrapping_mul(two);
    let limit = divisor.wrapping_abs();
    let odd = quotient.wrapping_rem(two) != i256::ZERO;
    if twice > limit || (twice == limit && odd) {
        let negative = value.is_negative() != divisor.is_negative();
        let step = if negative { i256::MINUS_ONE } else { i256::ONE };
        quotient.wrapping_add(step)
    } else {
        quotient
    }
}

pub fn multiply(left: &ArrayRef, right: &ArrayRef) -> Result<Decimal128Array> {
    let left = to_amount(left)?;
    let right = to_amount(right)?;
    let scale = i256::from_i128(10i128.pow(AMOUNT_SCALE as u32));
    let products = left
        .iter()
        .zip(right.iter())
        .map(|(a, b)| match (a, b) {
            (Some(a), Some(b)) => {
                let product = i256::from_i128(a).wrapping_mul(i256::from_i128(b));
                in_range(round_half_even(product, scale)).map(Some)
            }
            _ => Ok(None),
        })
        .collect::<Result<Vec<_>>>()?;
    amounts(products)
}

fn in_range(value: i256) -> Result<i128> {
    value
        .to_i128()
        .filter(|v| v.abs() < AMOUNT_LIMIT)
        .ok_or_else(|| exec_datafusion_err!("amount has more than 38 digits"))
}

pub fn divide(dividends: &ArrayRef, divisors: &ArrayRef) -> Result<Decimal128Array> {
    let dividends = to_amount(dividends)?;
    let divisors = to_amount(divisors)?;
    let scale = i256::from_i128(10i128.pow(AMOUNT_SCALE as u32));
    let quotients = dividends
        .iter()
        .zip(divisors.iter())
        .map(|(a, b)| match (a, b) {
            (Some(a), Some(b)) if b != 0 => {
                let scaled = i256::from_i128(a).wrapping_mul(scale);
                in_range(round_half_even(scaled, i256::from_i128(b))).map(Some)
            }
            _ => Ok(None),
        })
        .collect::<Result<Vec<_>>>()?;
    amounts(quotients)
}

/// Rounds to so many places, half to even; null when either is null.
pub fn round_to(values: &ArrayRef, places: &ArrayRef) -> Result<Decimal128Array> {
    let values = to_amount(values)?;
    let places = cast(places, &DataType::Int64)?;
    let places = places.as_primitive::<Int64Type>();
    let rounded = values
        .iter()
        .zip(places.iter())
        .map(|(value, places)| {
            let (Some(value), Some(places)) = (value, places) else {
                return Ok(None);
            };
            let dropped = i64::from(AMOUNT_SCALE) - places;
            let Some(dropped) = u32::try_from(dropped).ok().filter(|d| *d <= 9) else {
                return exec_err!("round_to: {places} is not between 0 and 9 places");
            };
            let unit = 10i128.pow(dropped);
            let whole = round_half_even(i256::from_i128(value), i256::from_i128(unit));
            in_range(whole.wrapping_mul(i256::from_i128(unit))).map(Some)
        })
        .collect::<Result<Vec<_>>>()?;
    amounts(rounded)
}

/// Reads decimal text exactly; a longer fraction is rounded half-even.
fn parse_amount(text: &str) -> Result<i128> {
    let wrong = || exec_datafusion_err!("not a decimal number");
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !plain(whole) || !plain(fraction) {
        return Err(wrong());
    }
    let kept = &fraction[..fraction.len().min(60)];
    let mut value = i256::ZERO;
    for digit in whole.trim_start_matches('0').bytes().chain(kept.bytes()) {
        value = value
            .checked_mul(i256::from(10i64))
            .and_then(|v| v.checked_add(i256::from(i64::from(digit - b'0'))))
            .ok_or_else(wrong)?;
    }
    let signed = if negative {
        value.wrapping_neg()
    } else {
        value
    };
    rescale(signed, kept.len() as i8)
}

fn amounts(values: Vec<Option<i128>>) -> Result<Decimal128Array> {
    let nulls: NullBuffer = values.iter().map(Option::is_some).collect();
    let values = values.into_iter().map(Option::unwrap_or_default).collect();
    Ok(Decimal128Array::new(values, Some(nulls)).with_data_type(AMOUNT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_parse(text: &str, expected: i128) {
        assert_eq!(parse_amount(text).unwrap(), expected, "{text}");
    }

    #[test]
    fn decimal_text_is_read_exactly_and_rounded_half_even() {
        check_parse("10.123456789012", 10_123_456_789);
        check_parse("0.0000000005", 0);
        check_parse("0.0000000015", 2);
        check_parse("-0.0000000015", -2);
        check_parse("1", 1_000_000_000);
        assert!(parse_amount("1,5").is_err());
        assert!(parse_amount("").is_err());
    }

    fn check_divide(a: i128, b: i128, expected: Option<i128>) {
        let array = |v| std::sync::Arc::new(amounts(vec![Some(v)]).unwrap()) as ArrayRef;
        let result = divide(&array(a), &array(b)).unwrap();
        assert_eq!(result.iter().next().unwrap(), expected, "{a} / {b}");
    }

    #[test]
    fn products_are_rounded_half_even_at_the_ninth_place() {
        let array = |v| std::sync::Arc::new(amounts(vec![Some(v)]).unwrap()) as ArrayRef;
        let product = |a, b| multiply(&array(a), &array(b)).unwrap().value(0);
        assert_eq!(product(1_500_000_000, 2_000_000_000), 3_000_000_000);
        assert_eq!(product(1, 500_000_000), 0);
        assert_eq!(product(3, 500_000_000), 2);
        assert!(multiply(&array(10i128.pow(37)), &array(10i128.pow(37))).is_err());
    }

    #[test]
    fn amounts_are_rounded_half_even_to_any_place() {
        let check = |value: i128, places: i64, expected: i128| {
            let values = std::sync::Arc::new(amounts(vec![Some(value)]).unwrap()) as ArrayRef;
            let places =
                std::sync::Arc::new(arrow::array::Int64Array::from(vec![places])) as ArrayRef;
            assert_eq!(
                round_to(&values, &places).unwrap().value(0),
                expected,
                "{value}"
            );
        };
        check(1_005_000_000, 2, 1_000_000_000);
        check(1_015_000_000, 2, 1_020_000_000);
        check(-1_015_000_001, 2, -1_020_000_000);
        check(1_500_000_000, 0, 2_000_000_000);
        check(1_234_567_891, 9, 1_234_567_891);
    }

    #[test]
    fn division_is_exact_and_null_by_zero() {
        check_divide(1_000_000_000, 3_000_000_000, Some(333_333_333));
        check_divide(2_000_000_000, 3_000_000_000, Some(666_666_667));
        check_divide(-2_000_000_000, 3_000_000_000, Some(-666_666_667));
        check_divide(5, 0, None);
    }

    proptest::proptest! {
        #[test]
        fn rounding_never_moves_by_more_than_half(value in -10i64.pow(15)..10i64.pow(15), divisor in 1i64..10_000) {
            let rounded = round_half_even(i256::from(value), i256::from(divisor)).to_i128().unwrap();
            let off = (i128::from(value) - rounded * i128::from(divisor)).abs() * 2;
            proptest::prop_assert!(off <= i128::from(divisor));
            if off == i128::from(divisor) {
                proptest::prop_assert_eq!(rounded % 2, 0);
            }
        }
    }
}
