SELECT ledger.prepare_partitions($1) AS "created!"
