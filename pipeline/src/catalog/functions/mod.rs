//! The few functions that SQL lacks for exact money, nested lists and JSON kept as text.
//!
//! Each is pure, so the same plan may run anywhere.

mod amount;
mod list;
mod text;
mod vendor;

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::prelude::SessionContext;

use amount::AMOUNT;
pub use amount::round_half_even;

/// Registers every function of ours with a session.
pub fn register(ctx: &SessionContext) {
    for function in Function::ALL {
        ctx.register_udf(ScalarUDF::new_from_impl(OurFunction {
            function,
            signature: Signature::any(function.arguments(), Volatility::Immutable),
        }));
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Function {
    /// `list_sum(list<decimal>) -> decimal(38, 9)`: nulls skipped, null when nothing is left.
    ListSum,
    /// `round_half_even(decimal | text) -> decimal(38, 9)`.
    RoundHalfEven,
    /// `multiply_exact(a, b) -> decimal(38, 9)`: half-even; null when either is null.
    MultiplyExact,
    /// `divide_exact(a, b) -> decimal(38, 9)`: half-even; null when `b` is null or zero.
    DivideExact,
    /// `round_to(decimal, places) -> decimal(38, 9)`: half-even, to 0 to 9 places.
    RoundTo,
    /// `vendor_key(text) -> text`: a company's name without legal form, country and brackets, in plain words.
    VendorKey,
    /// `list_first_non_null(list<T>) -> T`.
    ListFirstNonNull,
    /// `list_sort_by(list<T>, list<K>) -> list<T>`: by the keys beside, ascending, nulls last.
    ListSortBy,
    /// `status_key(text) -> text`: trimmed, lower case, spaces and dashes as underscores.
    StatusKey,
    /// `non_blank(text) -> text`: null when empty or only white space.
    NonBlank,
    /// `json_get(json, name) -> text`: a member as plain text, `-` and `_` alike.
    JsonGet,
    /// `json_text(json) -> text`: a scalar as plain text.
    JsonText,
}

impl Function {
    const ALL: [Function; 12] = [
        Function::ListSum,
        Function::RoundHalfEven,
        Function::MultiplyExact,
        Function::DivideExact,
        Function::RoundTo,
        Function::VendorKey,
        Function::ListFirstNonNull,
        Function::ListSortBy,
        Function::StatusKey,
        Function::NonBlank,
        Function::JsonGet,
        Function::JsonText,
    ];

    fn name(self) -> &'static str {
        match self {
            Function::ListSum => "list_sum",
            Function::RoundHalfEven => "round_half_even",
            Function::MultiplyExact => "multiply_exact",
            Function::DivideExact => "divide_exact",
            Function::RoundTo => "round_to",
            Function::VendorKey => "vendor_key",
            Function::ListFirstNonNull => "list_first_non_null",
            Function::ListSortBy => "list_sort_by",
            Function::StatusKey => "status_key",
            Function::NonBlank => "non_blank",
            Function::JsonGet => "json_get",
            Function::JsonText => "json_text",
        }
    }

    fn arguments(self) -> usize {
        match self {
            Function::MultiplyExact
            | Function::DivideExact
            | Function::RoundTo
            | Function::ListSortBy
            | Function::JsonGet => 2,
            _ => 1,
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OurFunction {
    function: Function,
    signature: Signature,
}

impl ScalarUDFImpl for OurFunction {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match (self.function, arguments) {
            (Function::ListFirstNonNull, [DataType::List(item)]) => Ok(item.data_type().clone()),
            (Function::ListSortBy, [list @ DataType::List(_), DataType::List(_)]) => {
                Ok(list.clone())
            }
            (Function::ListFirstNonNull | Function::ListSortBy, [first, ..]) => {
                plan_err!("{}: expected a list, found {first}", self.name())
            }
            (Function::ListSum, [DataType::List(item)])
                if item.data_type().is_decimal() || item.data_type().is_null() =>
            {
                Ok(AMOUNT)
            }
            (Function::ListSum, [other]) => {
                plan_err!("list_sum: expected a list of decimals, found {other}")
            }
            (
                Function::StatusKey
                | Function::NonBlank
                | Function::JsonGet
                | Function::JsonText
                | Function::VendorKey,
                _,
            ) => Ok(DataType::Utf8),
            _ => Ok(AMOUNT),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let result: ArrayRef = match self.function {
            Function::ListSum => Arc::new(amount::list_sum(&arrays[0])?),
            Function::RoundHalfEven => Arc::new(amount::to_amount(&arrays[0])?),
            Function::MultiplyExact => Arc::new(amount::multiply(&arrays[0], &arrays[1])?),
            Function::DivideExact => Arc::new(amount::divide(&arrays[0], &arrays[1])?),
            Function::RoundTo => Arc::new(amount::round_to(&arrays[0], &arrays[1])?),
            Function::VendorKey => Arc::new(vendor::keys(&arrays[0])?),
            Function::ListFirstNonNull => list::first_non_null(&arrays[0])?,
            Function::ListSortBy => list::sort_by(&arrays[0], &arrays[1])?,
            Function::StatusKey => Arc::new(text::status_key(&arrays[0])?),
            Function::NonBlank => Arc::new(text::non_blank(&arrays[0])?),
            Function::JsonGet => Arc::new(text::json_get(&arrays[0], &arrays[1])?),
            Function::JsonText => Arc::new(text::json_text(&arrays[0])?),
        };
        Ok(ColumnarValue::Array(result))
    }
}
