-- Coupa items with what suppliers ask for them, to unified.items.
WITH offers AS (
    SELECT
        offer.item['id'] AS item_id,
        offer.id,
        offer.price,
        offer.currency['code'] AS currency,
        CASE
            WHEN offer.price IS NULL THEN NULL
            WHEN offer.preferred THEN 0
            WHEN status_key(offer.contract['status']) IN ('published', 'active') THEN 1
            ELSE 2
        END AS rank,
        named_struct(
            'supplier_item_id', CAST(offer.id AS VARCHAR),
            'supplier_id', CAST(offer.supplier['id'] AS VARCHAR),
            'supplier_name', offer.supplier['name'],
            'contract_id', CAST(offer.contract['id'] AS VARCHAR),
            'part_number', offer.supplier_part_num,
            'price', offer.price,
            'currency', offer.currency['code'],
            'preferred', offer.preferred,
            'min_qty', offer.minimum_order_quantity,
            'lead_time_days', TRY_CAST(offer.lead_time AS INT),
            'price_tiers', array_filter(make_array(
                named_struct('tier', CAST(1 AS INT), 'price', price_tier_1),
                    named_struct('tier', CAST(2 AS INT), 'price', price_tier_2),
                    named_struct('tier', CAST(3 AS INT), 'price', price_tier_3),
                    named_struct('tier', CAST(4 AS INT), 'price', price_tier_4),
                    named_struct('tier', CAST(5 AS INT), 'price', price_tier_5),
                    named_struct('tier', CAST(6 AS INT), 'price', price_tier_6),
                    named_struct('tier', CAST(7 AS INT), 'price', price_tier_7),
                    named_struct('tier', CAST(8 AS INT), 'price', price_tier_8),
                    named_struct('tier', CAST(9 AS INT), 'price', price_tier_9),
                    named_struct('tier', CAST(10 AS INT), 'price', price_tier_10),
                    named_struct('tier', CAST(11 AS INT), 'price', price_tier_11),
                    named_struct('tier', CAST(12 AS INT), 'price', price_tier_12),
                    named_struct('tier', CAST(13 AS INT), 'price', price_tier_13),
                    named_struct('tier', CAST(14 AS INT), 'price', price_tier_14),
                    named_struct('tier', CAST(15 AS INT), 'price', price_tier_15),
                    named_struct('tier', CAST(16 AS INT), 'price', price_tier_16),
                    named_struct('tier', CAST(17 AS INT), 'price', price_tier_17),
                    named_struct('tier', CAST(18 AS INT), 'price', price_tier_18),
                    named_struct('tier', CAST(19 AS INT), 'price', price_tier_19),
                    named_struct('tier', CAST(20 AS INT), 'price', price_tier_20)
            ), tier -> tier['price'] IS NOT NULL)
        ) AS offer
    FROM (SELECT id FROM coupa.items) AS wanted
    JOIN coupa.supplier_items AS offer ON offer.item['id'] = wanted.id
),
priced AS (
    SELECT
        item_id,
        list_sort_by(array_agg(offer), array_agg(id)) AS supplier_prices,
        -- The preferred offer, else the lowest under a contract in force, else the lowest.
        first_value(
            named_struct('id', id, 'price', price, 'currency', currency) ORDER BY rank NULLS LAST, price, id
        ) AS best
    FROM offers
    GROUP BY item_id
)
SELECT
    CAST(id AS VARCHAR) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    CASE WHEN active THEN 'active' WHEN NOT active THEN 'archived' END AS status,
    CAST(active AS VARCHAR) AS remote_status,
    custom_fields,
    name,
    item_number AS number,
    description,
    coalesce(non_blank(json_get(item_type, 'name')), non_blank(json_text(item_type))) AS type,
    uom['code'] AS uom,
    CAST(NULL AS DECIMAL(38, 9)) AS quantity,
    CAST(NULL AS DECIMAL(38, 9)) AS unit_price,
    best['price'] AS purchase_price,
    CASE WHEN best['price'] IS NOT NULL THEN best['currency'] END AS purchase_currency,
    CASE WHEN best['price'] IS NOT NULL THEN CAST(best['id'] AS VARCHAR) END AS purchase_supplier_item_id,
    CAST(NULL AS VARCHAR) AS purchase_account_id,
    CAST(NULL AS VARCHAR) AS sales_account_id,
    CAST(NULL AS VARCHAR) AS asset_account_id,
    CAST(commodity['id'] AS VARCHAR) AS commodity_id,
    commodity['name'] AS commodity_name,
    manufacturer_name,
    manufacturer_part_number,
    supplier_prices,
    CAST(NULL AS VARCHAR) AS company_id,
    supplier_prices IS NULL AS _is_partial,
    _lineage
FROM priced
RIGHT JOIN coupa.items AS i ON i.id = priced.item_id
