-- Items that an offer belongs to, or belonged to before it was moved.
SELECT item['id'] AS id FROM changed.supplier_items WHERE item['id'] IS NOT NULL
UNION
SELECT CAST(item.id AS BIGINT) AS id
FROM (SELECT CAST(id AS VARCHAR) AS id FROM changed.supplier_items) AS offer
JOIN (SELECT id, unnest(supplier_prices) AS price FROM unified.items) AS item ON item.price['supplier_item_id'] = offer.id
