-- How often work on these messages has begun without coming to an end. One that is not here has never been suspected.
SELECT message_id, runs FROM ledger.suspects WHERE handler = $1 AND message_id = ANY ($2::uuid[])
