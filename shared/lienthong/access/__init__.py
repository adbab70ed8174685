"""Who gets in: the ledger says which agencies may, and the broker is made to follow.

`admission` carries out an operator's decision about one agency; `drift` finds where the broker differs from the ledger
and the plan, and mends what can be mended without loss.
"""
