#!/usr/bin/env python3
"""Reckons what every named report must answer on the small lake beside this file.

Plain loops over the rows of lake/*.csv: no SQL, no data frames, decimals throughout, so that it shares
nothing with the reports but their definitions. Writes expected/<report>.csv; the test compares them with
what the command prints. Run it after a change of the rows or of a definition, and read the difference:

    python3 tests/e2e/reports/expected.py
"""
import csv
import datetime as dt
from collections import defaultdict
from decimal import ROUND_HALF_EVEN, Decimal as D, getcontext
from fractions import Fraction
from pathlib import Path

getcontext().prec = 60
HERE = Path(__file__).parent
FROM, TO, ON = dt.date(2026, 1, 1), dt.date(2026, 7, 1), dt.date(2026, 7, 1)
YEAR = (dt.date(2025, 1, 1), dt.date(2025, 7, 1))
ZERO = D(0)

READ = {
    "utf8": lambda v: v or None,
    "text": lambda v: v,
    "date": lambda v: dt.date.fromisoformat(v) if v else None,
    "timestamp": lambda v: dt.datetime.fromisoformat(v.replace("Z", "+00:00")) if v else None,
    "decimal": lambda v: D(v) if v else None,
    "int32": lambda v: int(v) if v else None,
    "bool": lambda v: {"true": True, "false": False, "": None}[v],
}


def table(name):
    with open(HERE / "lake" / f"{name}.csv", newline="") as file:
        head, *rows = csv.reader(file)
    columns = [column.split(":") for column in head]
    return [{n: READ[t](v) for (n, t), v in zip(columns, row)} for row in rows]


def by_id(name):
    return {row["id"]: row for row in table(name)}


spend_lines = table("report.spend_lines")
matches = table("report.po_invoice_match")
invoice_matches = table("report.invoice_match")
positions = {row["order_line_id"]: row for row in table("report.po_line_position")}
contacts, departments = by_id("unified.contacts"), by_id("unified.departments")
contracts, items, orders = by_id("unified.contracts"), by_id("unified.items"), by_id("unified.purchase_orders")
requisitions, order_lines = by_id("unified.purchase_order_requisitions"), by_id("unified.purchase_order_lines")
invoices, terms = by_id("unified.invoices"), by_id("unified.payment_terms")
receipts, approvals = table("unified.receipts"), table("unified.approvals")

counted = [line for line in spend_lines if line["state"] == "counted"]
period = [line for line in counted if FROM <= line["spend_date"] < TO]


def nine(x):
    return x.quantize(D("1e-9"), ROUND_HALF_EVEN)


def over(a, b):
    """A quotient to nine digits; nothing when the divisor is."""
    if a is None or b is None or b == 0:
        return None
    return nine(D(a) / D(b))


def total(values):
    """A sum; nothing when there is nothing to add."""
    values = [v for v in values if v is not None]
    return sum(values, ZERO) if values else None


def zero(x):
    return ZERO if x is None else x


def name_of(rows, key):
    return rows[key]["name"] if key in rows else "(none)"


def supplier(key):
    """The first, by letter, of the names under which the group has billed."""
    names = [l["vendor_name"] for l in spend_lines if l["vendor_key"] == key and l["vendor_name"]]
    return min(names) if names else key


def category(l):
    return l["commodity_name"] or "(none)"


def department(l):
    return l["department_name"] or "(none)"


def groups(rows, *keys):
    found = defaultdict(list)
    for row in rows:
        found[tuple(key(row) if callable(key) else row[key] for key in keys)].append(row)
    return found


def median(values):
    ordered = sorted(values)
    n = len(ordered)
    return ordered[n // 2] if n % 2 else (ordered[n // 2 - 1] + ordered[n // 2]) / 2


def rank(values, tenths):
    """Nearest rank: the first of which at least so many tenths are not more."""
    ordered = sorted(values)
    return next(v for place, v in enumerate(ordered, 1) if place * 10 >= len(ordered) * tenths)


def down(column, *rest):
    """Largest first, nothing last, then by the rest."""
    return lambda row: (row[column] is None, -zero(row[column]), *(row[r] for r in rest))


def shown(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, D):
        text = format(value, "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text == "-0" else text
    return str(value)


def write(name, head, rows, top=None):
    (HERE / "expected").mkdir(exist_ok=True)
    with open(HERE / "expected" / f"{name}.csv", "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(head)
        for row in rows[:top]:
            values = row.values() if isinstance(row, dict) else row
            out.writerow([shown(value) for value in values])


def as_dicts(head, rows):
    return [dict(zip(head, row)) for row in rows]


# spend by month and channel
rows = [(m, c, total(l["amount"] for l in g), len(g))
        for (m, c), g in sorted(groups(period, lambda l: str(l["spend_date"])[:7], "channel").items())]
write("spend_by_month", ["month", "channel", "spend", "lines"], rows)

# spend by category and by department, with the year before
before = [l for l in counted if YEAR[0] <= l["spend_date"] < YEAR[1]]
for report, label, named in [("spend_by_category", "category", category), ("spend_by_department", "department", department)]:
    now, then = groups(period, named), groups(before, named)
    everything = sum((zero(l["amount"]) for l in period), ZERO)
    head = [label, "spend", "share", "year_before", "change_rate", "suppliers"]
    rows = []
    for key in set(now) | set(then):
        spend = zero(total(l["amount"] for l in now.get(key, [])))
        last = zero(total(l["amount"] for l in then.get(key, [])))
        rows.append((key[0], spend, over(spend, everything), last, over(spend - last, last),
                     len({l["vendor_key"] for l in now.get(key, []) if l["vendor_key"]})))
    rows = sorted(as_dicts(head, rows), key=down("spend", label))
    write(report, head, rows)

# where the money goes
head = ["month", "category", "department", "supplier", "spend", "month_share", "year_before", "change"]
def place(l, shift):
    month = str(l["spend_date"].replace(year=l["spend_date"].year + shift))[:7]
    return (month, category(l), department(l), supplier(l["vendor_key"]))
now, then = groups(period, lambda l: place(l, 0)), groups(before, lambda l: place(l, 1))
cells = {key[0]: (zero(total(l["amount"] for l in now.get(key, []))), zero(total(l["amount"] for l in then.get(key, []))))
         for key in set(now) | set(then)}
months = defaultdict(lambda: ZERO)
for key, (spend, _) in cells.items():
    months[key[0]] += spend
rows = [(*key, spend, over(spend, months[key[0]]), last, spend - last) for key, (spend, last) in cells.items()]
write("where_money_goes", head, sorted(as_dicts(head, rows), key=down("spend", "month", "category", "department", "supplier")))

# largest suppliers
head = ["supplier", "spend", "share", "cumulative_share", "invoices", "categories", "years", "key"]
everything, running, rows = total(l["amount"] for l in period), ZERO, []
ranked = sorted(((total(l["amount"] for l in g), k, g) for (k,), g in groups(period, "vendor_key").items()),
                key=lambda r: (r[0] is None, -zero(r[0]), r[1]))
for spend, key, g in ranked:
    running += zero(spend)
    years = {l["spend_date"].year for l in counted if l["vendor_key"] == key}
    rows.append((supplier(key), spend, over(spend, everything), over(running, everything),
                 len({l["invoice_id"] for l in g if l["invoice_id"]}), len({l["commodity_name"] for l in g if l["commodity_name"]}), len(years)))
write("largest_suppliers", head[:-1], rows)

# concentration of each category
head = ["category", "suppliers", "spend", "largest_share", "hhi"]
rows = []
for (named,), g in groups(period, category).items():
    sums = [s for s in (total(l["amount"] for l in v) for v in groups(g, "vendor_key").values()) if s is not None and s > 0]
    shares = [over(s, sum(sums)) for s in sums]
    rows.append((named, len(sums), sum(sums), max(shares), nine(10000 * sum(nine(s * s) for s in shares))))
write("supplier_concentration", head, sorted(as_dicts(head, rows), key=down("spend", "category")))

# the tail
positive = sorted(((total(l["amount"] for l in g), k, g) for (k,), g in groups(period, "vendor_key").items()
                   if zero(total(l["amount"] for l in g)) > 0), key=lambda r: (-r[0], r[1]))
everything, running, tail = sum(r[0] for r in positive), ZERO, []
for spend, key, g in positive:
    if over(running, everything) >= D("0.8"):
        tail.append((spend, key, g))
    running += spend
count_invoices = lambda rs: sum(len({l["invoice_id"] for l in g if l["invoice_id"]}) for _, _, g in rs)
tail_spend = sum((r[0] for r in tail), ZERO)
write("tail_spend", ["suppliers", "tail_suppliers", "tail_supplier_share", "spend", "tail_spend", "tail_spend_share",
                     "invoices", "tail_invoices", "tail_handling"],
      [(len(positive), len(tail), over(len(tail), len(positive)), everything, tail_spend, over(tail_spend, everything),
        count_invoices(positive), count_invoices(tail), None)])
tail_suppliers = len(tail)

# without an order
head = ["supplier", "department", "account", "invoices", "spend", "share"]
unbacked = [l for l in period if l["match_status"] == "unbacked"]
everything = total(l["amount"] for l in unbacked)
rows = []
for key, g in groups(unbacked, lambda l: supplier(l["vendor_key"]), department,
                     lambda l: l["account_code"] or "(none)").items():
    spend = total(l["amount"] for l in g)
    rows.append((*key, len({l["invoice_id"] for l in g}), spend, over(spend, everything)))
write("without_order", head, sorted(as_dicts(head, rows), key=down("spend", "supplier", "department", "account")))

# orders written after the invoice
in_period = [m for m in matches if FROM <= m["invoice_date"] < TO and m["match_status"] != "excluded"]
late = groups([m for m in in_period if m["after_the_fact"]], "order_id", "currency")
cases = []
for (order, currency), g in late.items():
    line = [positions[m["order_line_id"]] for m in g]
    cases.append({"department": name_of(departments, min((p["department_id"] for p in line if p["department_id"]), default=None)),
                  "requester": orders[order]["employee_name"] or "(none)", "currency": currency,
                  "value": sum(m["line_net"] for m in g),
                  "days": D((min(p["order_date"] for p in line) - min(m["invoice_date"] for m in g)).days)})
head = ["department", "requester", "currency", "orders", "value", "median_days_late"]
rows = [(*key, len(g), sum(c["value"] for c in g), median([c["days"] for c in g]))
        for key, g in groups(cases, "department", "requester", "currency").items()]
write("orders_after_invoice", head, sorted(as_dicts(head, rows), key=down("value", "department", "requester", "currency")))

# outside contracts
def on_contract(l):
    contract = contracts.get(l["contract_id"])
    return bool(contract and not contract["is_terminated"] and contract["start_date"] <= l["spend_date"] <= contract["end_date"])
covered = {l["commodity_name"] for l in period if on_contract(l) and l["commodity_name"]}
outside = [l for l in period if not on_contract(l) and l["commodity_name"] in covered]
head = ["category", "supplier", "department", "lines", "spend", "share"]
everything = total(l["amount"] for l in outside)
rows = [(*key, len(g), total(l["amount"] for l in g), over(total(l["amount"] for l in g), everything))
        for key, g in groups(outside, category, lambda l: supplier(l["vendor_key"]),
                             department).items()]
write("off_contract", head, sorted(as_dicts(head, rows), key=down("spend", "category", "supplier", "department")))

# lines that are held
head = ["flag", "supplier", "currency", "lines", "invoices", "at_stake", "oldest_days", "credited"]
held = [{**m, "flag": flag} for m in in_period if m["match_status"] == "exception" for flag in m["flags"].rstrip(";").split(";")]
credited = lambda m: any(c["line_net"] < 0 and c["match_status"] != "excluded" and c["order_line_id"] == m["order_line_id"]
                         and c["invoice_date"] > m["invoice_date"] for c in matches)
rows = [(*key, len(g), len({m["invoice_id"] for m in g}), sum(m["line_net"] for m in g),
         (TO - min(m["invoice_date"] for m in g)).days, sum(credited(m) for m in g))
        for key, g in groups(held, "flag", lambda m: name_of(contacts, m["vendor_id"]), "currency").items()]
write("match_exceptions", head, sorted(as_dicts(head, rows), key=down("at_stake", "flag", "supplier", "currency")))

# overpaid
head = ["supplier", "item", "currency", "lines", "overpaid", "at_ordered_price", "overpaid_rate"]
def item_of(m):
    line = order_lines[m["order_line_id"]]
    return line["name"] or line["description"] or "(none)"
dear = [m for m in in_period if m["consumes"] and zero(m["price_variance"]) > 0]
rows = []
for key, g in groups(dear, lambda m: name_of(contacts, m["vendor_id"]), item_of, "po_currency").items():
    paid, ordered = sum(m["price_variance"] for m in g), sum(m["po_price"] * m["qty_consumed"] for m in g)
    rows.append((*key, len(g), paid, ordered, over(paid, ordered)))
write("overpaid", head, sorted(as_dicts(head, rows), key=down("overpaid", "supplier", "item", "currency")))

# different prices for one thing
head = ["item", "uom", "currency", "purchases", "lowest", "median", "highest", "dispersion", "saving"]
bought = [l for l in period if l["item_id"] and zero(l["quantity"]) > 0 and zero(l["unit_price"]) > 0]
rows = []
for (item, uom, currency), g in groups(bought, "item_id", "uom", "currency").items():
    prices = [l["unit_price"] for l in g]
    if len(g) < 3:
        continue
    ordered = sorted(prices)
    quartile = next(p for place, p in enumerate(ordered, 1) if place * 4 >= len(ordered))
    saving = sum((max(l["unit_price"] - quartile, ZERO) * l["quantity"] for l in g), ZERO)
    rows.append((items[item]["name"], uom, currency, len(g), min(prices), median(prices), max(prices),
                 over(max(prices) - min(prices), median(prices)), saving))
write("price_dispersion", head, sorted(as_dicts(head, rows), key=down("saving", "item", "uom", "currency")))

# open commitments and accruals
BUCKETS = [(30, "0-30"), (90, "31-90"), (180, "91-180"), (365, "181-365")]
def bucket(days):
    return next((label for most, label in BUCKETS if days <= most), "over 365")
open_lines = [p for p in positions.values() if p["open_commitment"] or p["received_not_invoiced"]]
rows = []
for (age, currency), g in groups(open_lines, lambda p: bucket((ON - p["order_date"]).days), "currency").items():
    moved = lambda p: max(d for d in (p["order_date"], p["last_receipt_date"], p["last_invoice_date"]) if d)
    rows.append((min((ON - p["order_date"]).days for p in g),
                 (age, currency, len({p["order_id"] for p in g}), len(g), sum(p["open_commitment"] for p in g),
                  sum(p["received_not_invoiced"] for p in g), sum((p["open_commitment"] for p in g if (ON - moved(p)).days > 90), ZERO))))
write("open_commitments", ["age_days", "currency", "orders", "lines", "open_commitment", "received_not_invoiced", "stale"],
      [row for _, row in sorted(rows, key=lambda r: (r[0], r[1][1]))])
head = ["supplier", "currency", "lines", "received_not_invoiced", "oldest_days"]
rows = [(*key, len(g), sum(p["received_not_invoiced"] for p in g), (ON - min(p["last_receipt_date"] for p in g)).days)
        for key, g in groups([p for p in positions.values() if p["received_not_invoiced"] > 0],
                             lambda p: name_of(contacts, p["vendor_id"]), "currency").items()]
write("accruals", head, sorted(as_dicts(head, rows), key=down("received_not_invoiced", "supplier", "currency")))

# duplicates
def comparable(number):
    letters = "".join(c for c in number.upper() if c.isascii() and c.isalnum())
    key, run = "", ""
    for c in letters + "$":
        if c.isdigit():
            run += c
        else:
            key, run = key + (run.lstrip("0") or run[-1:]), ""
            key += c
    return key[:-1]
rows = []
live = [i for i in invoice_matches if i["backing"] != "excluded"]
for b in live:
    for a in live:
        same = all(a[k] == b[k] for k in ("vendor_id", "currency", "net")) and comparable(a["invoice_number"]) == comparable(b["invoice_number"])
        if same and a is not b and "duplicate_suspect" in b["flags"] and "duplicate_suspect" not in a["flags"] and FROM <= b["invoice_date"] < TO:
            paid = all(invoices.get(i["invoice_id"], {}).get("payment_status") == "paid" for i in (a, b))
            rows.append((name_of(contacts, b["vendor_id"]), b["invoice_number"], b["invoice_id"], b["invoice_date"],
                         a["invoice_number"], a["invoice_id"], a["invoice_date"], b["currency"], b["net"], paid))
write("duplicate_suspects", ["supplier", "number", "invoice", "dated", "earlier_number", "earlier_invoice", "earlier_dated",
                             "currency", "net", "both_paid"], rows)

# durations, in seconds
def inside(when):
    day = when.date() if isinstance(when, dt.datetime) else when
    return when is not None and FROM <= day < TO
midnight = lambda day: dt.datetime(day.year, day.month, day.day, tzinfo=dt.timezone.utc)
settled = [i for i in invoices.values() if i["status"] in ("authorised", "paid")]
last_approval = {i["id"]: max((a["approved_at"] for a in approvals if a["document_type"] == "invoice" and a["document_id"] == i["id"]
                               and a["approved_at"]), default=None) for i in settled}
durations = []
for o in orders.values():
    r = requisitions.get(o["requisition_id"])
    if r and inside(o["created_at"]):
        durations.append(("requisition to order", r["department_name"], o["vendor_name"], (o["created_at"] - r["submitted_at"]).total_seconds()))
    first = min((x["transaction_date"] for x in receipts if x["purchase_order_id"] == o["id"] and not x["is_void"] and x["direction"] > 0), default=None)
    if first and inside(first):
        durations.append(("order to first receipt", None, o["vendor_name"], (first - o["created_at"].date()).days * 86400))
for i in settled:
    start = i["received_date"] or i["issue_date"]
    if last_approval[i["id"]] and inside(last_approval[i["id"]]):
        durations.append(("invoice received to approved", None, i["vendor_name"], (last_approval[i["id"]] - midnight(start)).total_seconds()))
    if i["paid_on_date"] and inside(i["paid_on_date"]):
        durations.append(("invoice received to paid", None, i["vendor_name"], (i["paid_on_date"] - start).days * 86400))
durations = [(m, d, s, D(int(x))) for m, d, s, x in durations]
head = ["measure", "of", "name", "cases", "median_days", "p90_days"]
rows = []
for of, name in [("all", lambda d: "all"), ("department", lambda d: d[1]), ("supplier", lambda d: d[2])]:
    for (measure, group), g in groups(durations, lambda d: d[0], name).items():
        if group is not None and (of == "all" or len(g) >= 3):
            seconds = [d[3] for d in g]
            rows.append((measure, of, group, len(g), over(median(seconds), 86400), over(rank(seconds, 9), 86400)))
rows = as_dicts(head, rows)
write("cycle_times", head, sorted(rows, key=lambda r: (r["measure"], r["of"], -r["median_days"], r["name"])))

# payments
paid = [i for i in settled if i["paid_on_date"] and inside(i["paid_on_date"]) and i["total_amount"] > 0]
due = [i for i in paid if i["due_date"]]
on_time = lambda i: i["paid_on_date"] <= i["due_date"]
days_late = lambda i: max((i["paid_on_date"] - i["due_date"]).days, 0)
head = ["supplier", "currency", "paid", "on_time", "on_time_rate", "paid_amount", "on_time_amount", "on_time_amount_rate", "days_beyond_terms"]
rows = []
for key, g in groups(due, "vendor_name", "currency").items():
    good, amount = [i for i in g if on_time(i)], sum(i["total_amount"] for i in g)
    good_amount = sum((i["total_amount"] for i in good), ZERO)
    rows.append((*key, len(g), len(good), over(len(good), len(g)), amount, good_amount, over(good_amount, amount),
                 over(sum(i["total_amount"] * days_late(i) for i in g), amount)))
write("payments_on_time", head, sorted(as_dicts(head, rows), key=down("paid_amount", "supplier", "currency")))

head = ["supplier", "currency", "term", "invoices", "offered", "taken", "missed", "capture_rate", "yearly_return_rate"]
offers = []
for i in settled:
    term = terms.get(i["payment_term_id"])
    if term and zero(term["discount_rate"]) > 0 and FROM <= i["issue_date"] < TO and i["total_amount"] > 0:
        offered = i["total_amount"] * term["discount_rate"] / 100
        day = i["discount_due_date"] or i["issue_date"] + dt.timedelta(days=term["discount_days"])
        taken = bool(i["paid_on_date"] and i["paid_on_date"] <= day and i["amount_paid"] <= i["total_amount"] - offered + D("0.01"))
        offers.append({**i, "term": term["code"], "t": term, "offered": offered, "taken": offered if taken else ZERO})
rows = []
for key, g in groups(offers, "vendor_name", "currency", "term").items():
    offered, taken, t = sum(o["offered"] for o in g), sum(o["taken"] for o in g), g[0]["t"]
    yearly = Fraction(t["discount_rate"]) / (100 - Fraction(t["discount_rate"])) * 365 / (t["net_days"] - t["discount_days"])
    rows.append((*key, len(g), offered, taken, offered - taken, over(taken, offered), nine(D(yearly.numerator) / D(yearly.denominator))))
write("discounts", head, sorted(as_dicts(head, rows), key=down("missed", "supplier", "currency", "term")))

# aging
def overdue(i):
    if i["due_date"] is None:
        return (-100000, "no due date")
    days = (ON - i["due_date"]).days
    label = next((l for most, l in [(0, "not due"), (30, "1-30"), (60, "31-60"), (90, "61-90")] if days <= most), "over 90")
    return (days, label)
owed = [i for i in invoices.values() if i["status"] == "authorised" and i["payment_status"] != "paid" and i["balance"] != 0 and i["issue_date"] <= ON]
rows = [(min(overdue(i)[0] for i in g), (*key, len(g), sum(i["balance"] for i in g)))
        for key, g in groups(owed, lambda i: overdue(i)[1], "currency").items()]
write("aging", ["days_overdue", "currency", "invoices", "balance"], [r for _, r in sorted(rows, key=lambda r: (r[0], r[1][1]))])

# budget
head = ["account", "period", "owner", "currency", "budget", "actual", "committed", "requested", "variance", "used_rate", "forecast"]
rows = []
for b in table("unified.budget_lines"):
    if not b["period_start"] <= ON <= b["period_end"]:
        continue
    spent = ZERO
    for l in counted:
        if l["account_code"] == b["account_code"] and b["period_start"] <= l["spend_date"] <= min(b["period_end"], ON):
            spent += zero(l["amount"] if l["reporting_currency"] == b["currency"] else l["amount_doc"] if l["currency"] == b["currency"] else ZERO)
    bound = sum((p["open_commitment"] for p in positions.values()
                 if p["currency"] == b["currency"] and order_lines[p["order_line_id"]]["account_code"] == b["account_code"]), ZERO)
    asked = zero(b["pending_requisitions_amount"])
    elapsed, days = (ON - b["period_start"]).days + 1, (b["period_end"] - b["period_start"]).days + 1
    rows.append((b["account_code"], b["period_name"], b["owner_name"], b["currency"], b["amount"], spent, bound, asked, b["amount"] - spent,
                 over(spent + bound + asked, b["amount"]), over(spent * days, elapsed)))
write("budget", head, sorted(as_dicts(head, rows), key=lambda r: (r["variance"], r["account"])))

# contracts used up
head = ["contract", "name", "supplier", "currency", "end_date", "spend", "maximum_commit", "used_rate", "elapsed_rate", "minimum_commit", "shortfall"]
rows = []
for c in contracts.values():
    committed = c["minimum_commit"] if c["minimum_commit"] is not None else c["maximum_commit"]
    if not zero(committed) > 0 or c["is_terminated"] or not c["start_date"] <= ON <= c["end_date"]:
        continue
    spent = ZERO
    for l in counted:
        if l["contract_id"] == c["id"] and c["start_date"] <= l["spend_date"] <= ON:
            spent += zero(l["amount"] if l["reporting_currency"] == c["currency"] else l["amount_doc"] if l["currency"] == c["currency"] else ZERO)
    short = None if c["minimum_commit"] is None else max(c["minimum_commit"] - spent, ZERO)
    rows.append((c["number"] or c["id"], c["name"], c["supplier_name"], c["currency"], c["end_date"], spent, c["maximum_commit"],
                 over(spent, c["maximum_commit"]), over((ON - c["start_date"]).days + 1, (c["end_date"] - c["start_date"]).days + 1),
                 c["minimum_commit"], short))
write("contract_burn", head, sorted(as_dicts(head, rows), key=down("used_rate", "contract")))

# prices against a year before
head = ["item", "uom", "currency", "quantity", "price", "price_before", "price_index", "effect"]
def weighted(lines):
    lines = [l for l in lines if l["item_id"] and zero(l["quantity"]) > 0 and zero(l["unit_price"]) > 0]
    return {key: (over(sum(l["unit_price"] * l["quantity"] for l in g), sum(l["quantity"] for l in g)), sum(l["quantity"] for l in g))
            for key, g in groups(lines, "item_id", "uom", "currency").items()}
now, then = weighted(period), weighted(before)
rows = [(items[key[0]]["name"], key[1], key[2], now[key][1], now[key][0], then[key][0], over(now[key][0], then[key][0]),
         nine((now[key][0] - then[key][0]) * now[key][1])) for key in now if key in then]
write("price_index", head, sorted(as_dicts(head, rows), key=down("effect", "item")))

# key figures
KPI = ["kpi", "unit", "value", "numerator", "denominator"]
def share(kpi, a, b):
    return (kpi, "share", over(a, b), D(a), D(b))
def plain(kpi, unit, value):
    return (kpi, unit, value, None, None)

everything = sum(zero(l["amount"]) for l in period)
amount = lambda test: sum((zero(l["amount"]) for l in period if test(l)), ZERO)
invoiced = amount(lambda l: l["match_status"])
live = [i for i in invoice_matches if i["backing"] != "excluded" and FROM <= i["invoice_date"] < TO]
billed = {m["order_id"] for m in in_period if m["order_id"]}
billed_late = {m["order_id"] for m in in_period if m["order_id"] and m["after_the_fact"]}
def ahead(l):
    position = positions.get(l["purchase_order_line_id"])
    return bool(position and position["order_date"] <= l["spend_date"])
expenses = [e for e in table("unified.expense_lines") if FROM <= e["expense_date"] < TO]
write("kpi_control", KPI, [
    plain("Spend", "EUR", everything),
    plain("Lines without a rate", "count", D(sum(l["amount"] is None for l in period))),
    share("PO coverage by value", amount(lambda l: l["match_status"] and l["purchase_order_line_id"]), invoiced),
    share("PO coverage by count", sum(D(1) if i["backing"] == "po" else D("0.5") if i["backing"] == "mixed" else ZERO for i in live), len(live)),
    share("No-PO invoice rate", sum(i["backing"] == "no_po" for i in live), len(live)),
    share("No-PO invoice rate by value", amount(lambda l: l["match_status"] == "unbacked"), invoiced),
    share("After-the-fact order rate", len(billed_late), len(billed)),
    share("On-contract spend", amount(on_contract), everything),
    share("Maverick spend", amount(lambda l: l["match_status"] == "unbacked" or not on_contract(l) and l["commodity_name"] in covered), everything),
    share("Managed spend", amount(lambda l: on_contract(l) or ahead(l)), everything),
    share("Ordered in advance", amount(ahead), everything),
    share("Expense lines in policy", sum(not e["is_over_limit"] for e in expenses), len(expenses)),
])

on_orders = [i for i in live if i["backing"] in ("po", "mixed")]
stuck = sum(i["worst_status"] == "exception" for i in on_orders)
seconds = lambda measure: [d[3] for d in durations if d[0] == measure]
first_receipt = {}
for x in receipts:
    if not x["is_void"] and x["direction"] > 0:
        line = x["purchase_order_line_id"]
        first_receipt[line] = min(first_receipt.get(line, x["transaction_date"]), x["transaction_date"])
needed = [(day, order_lines[line]["need_by_date"]) for line, day in first_receipt.items() if order_lines[line]["need_by_date"] and inside(day)]
write("kpi_process", KPI, [
    share("Never-held rate", len(on_orders) - stuck, len(on_orders)),
    share("Exception rate", stuck, len(on_orders)),
    plain("Approval time", "hours", over(median(seconds("invoice received to approved")), 3600)),
    plain("Invoice cycle time", "days", over(median(seconds("invoice received to paid")), 86400)),
    plain("Requisition to order", "hours", over(median(seconds("requisition to order")), 3600)),
    share("Receipts on time", sum(day <= need for day, need in needed), len(needed)),
    plain("Duplicate suspects", "count", D(sum("duplicate_suspect" in i["flags"] for i in live))),
])

compared = groups([m for m in in_period if m["consumes"] and m["price_variance"] is not None], "po_currency")
rows = []
for (currency,), g in sorted(compared.items()):
    rows.append(share(f"Price variance rate ({currency})", sum(m["price_variance"] for m in g), sum(m["po_price"] * m["qty_consumed"] for m in g)))
for (currency,), g in sorted(compared.items()):
    rows.append(plain(f"Overpaid ({currency})", currency, sum((m["price_variance"] for m in g if m["price_variance"] > 0), ZERO)))
write("kpi_price", KPI, rows)

spenders = groups(period, "vendor_key")
sums = [r[0] for r in positive]
shares = [over(s, sum(sums)) for s in sums]
classes = groups([l for l in period if l["commodity_name"]], "commodity_name")
first_day = {k: min(l["spend_date"] for l in g) for (k,), g in groups(counted, "vendor_key").items()}
year_ago = {l["vendor_key"] for l in counted if dt.date(2025, 1, 1) <= l["spend_date"] < FROM}
of_invoices, numbers = amount(lambda l: l["invoice_id"]), {l["invoice_id"] for l in period if l["invoice_id"]}
write("kpi_structure", KPI, [
    plain("Suppliers", "count", D(len(sums))),
    share("Top-ten share", sum(sums[:10]), sum(sums)),
    share("Tail spend share", tail_spend, sum(sums)),
    share("Tail supplier share", tail_suppliers, len(sums)),
    plain("Supplier concentration (HHI)", "index", nine(10000 * sum(nine(s * s) for s in shares))),
    share("Single-source categories", sum(len({l["vendor_key"] for l in g}) == 1 for g in classes.values()), len(classes)),
    plain("New suppliers", "count", D(sum(FROM <= day < TO for day in first_day.values()))),
    plain("Lost suppliers", "count", D(len(year_ago - {k for (k,) in spenders}))),
    share("One-time suppliers", sum(len({l["invoice_id"] for l in g if l["invoice_id"]}) == 1 for g in spenders.values()), len(spenders)),
    ("Average invoice", "EUR", over(of_invoices, len(numbers)), of_invoices, D(len(numbers))),
    share("Classified spend", amount(lambda l: l["commodity_name"]), everything),
])

rows = []
for (currency,), g in groups(paid, "currency").items():
    money, dues = sum(i["total_amount"] for i in g), [i for i in g if i["due_date"]]
    due_money, good = sum(i["total_amount"] for i in dues), [i for i in dues if on_time(i)]
    lag = sum(i["total_amount"] * (i["paid_on_date"] - i["issue_date"]).days for i in g)
    late_money = sum((i["total_amount"] * days_late(i) for i in dues), ZERO)
    good_money = sum((i["total_amount"] for i in good), ZERO)
    rows += [(1, currency, "Days payable", "days", over(lag, money), lag, money),
             (2, currency, "On-time payment", "share", over(len(good), len(dues)), D(len(good)), D(len(dues))),
             (3, currency, "On-time payment by value", "share", over(good_money, due_money), good_money, due_money),
             (4, currency, "Days beyond terms", "days", over(late_money, due_money), late_money, due_money)]
for (currency,), g in groups(positions.values(), "currency").items():
    rows += [(5, currency, "Open commitment", currency, sum(p["open_commitment"] for p in g), None, None),
             (6, currency, "Accrual", currency, sum(p["received_not_invoiced"] for p in g), None, None)]
for (currency,), g in groups([i for i in invoices.values() if i["status"] == "authorised" and i["payment_status"] != "paid"], "currency").items():
    rows.append((7, currency, "Payables", currency, sum(i["balance"] for i in g), None, None))
write("kpi_cash", KPI, [(f"{kpi} ({currency})", *rest) for _, currency, kpi, *rest in sorted(rows, key=lambda r: r[:2])])
