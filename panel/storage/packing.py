"""Observations as they are stored: JSON, compressed with what most of them have in common."""

import re
import zlib
from dataclasses import MISSING, fields

import msgspec

from panel.domain.observation import Observation

# What a compressed observation may refer to; the last is the nearest. Each stored one begins with the number of its
# dictionary. A dictionary never changes: add another one, and keep those that files may refer to.
_FIRST = (
    b'"context":{"operation":"Download ","current_step_name":"","step_current":,"step_total":,"step_detail":""}'
    b'"result":{"mode":"tail","symbol":"","timeframe":"","cache_hit":true,"gaps_filled":,"rows_downloaded":,"source":"'
    b'"result":{"metrics":{"total_return_pct":,"sharpe_ratio":,"max_drawdown_pct":,"total_trades":,"win_rate":,'
    b'"profit_factor":,"buy_and_hold_return_pct":,"total_commission":,"total_slippage":},"config":{"strategy_name":"'
    b'"initial_capital":100000.0,"commission":0.001,"slippage":0.0005,"model_path":"models/'
    b'"trade_count":,"equity_curve_length":,"execution_time_seconds":,"error":"No data found in cache for '
    b'"Operation was RUNNING but no worker claimed it","Operation cancelled by user","status":"cancelled","failed"'
    b'"result":{"artifacts":{},"model_info":{"architecture":"v3_mlp","parameters_count":},"model_path":"models/'
    b'/1h_v","data_summary":{"symbols":["EURUSD"],"start_date":"","end_date":"","timeframes":["1h"],"feature_count":,'
    b'"total_samples":},"session_info":{},"resource_usage":{},"test_metrics":{"test_loss":0.,"test_accuracy":0.,'
    b'"precision":0.,"recall":0.,"f1_score":0.,"baseline_accuracy":0.,"baseline_class":"HOLD"},"training_metrics":'
    b'{"history":{"train_loss":[0.],"val_loss":[0.],"train_accuracy":[0.],"val_accuracy":[0.]},"training_time":,'
    b'"epochs_trained":,"final_train_loss":0.,"final_val_loss":0.,"final_train_accuracy":0.,"final_val_accuracy":0.,'
    b'"best_val_accuracy":0.},'
    b'{"snapshot":{"id":"op_training_2026","kind":"training","data_load","backtesting","status":"completed",'
    b'"said":"completed","read_at":17,"percentage":100.0,"step":"","steps_completed":0,"steps_total":null,'
    b'"created_at":17,"started_at":17,"completed_at":17,"symbol":"EURUSD","timeframe":"1h","strategy":"",'
    b'"parameters":{"strategy_yaml":"name: ","strategy_name":"","symbols":["EURUSD"],"timeframes":["1h"],'
    b'"start_date":"2024-01-01","end_date":"2025-01-01","worker_id":"training-worker-","mode":"training"},'
    b'"context":{},"error":"","result":null},"epochs":[],"full":true,"settled":false},"changed_at":17'
    b',"failing_since":null,"timed_out":false,"forgotten":false,"cancel":"","cancel_at":null,"changes":1,"rhythm":0.0,'
    b'"untracked_since":null,"fell":false,"revived":null,"moved_at":null,"gaps_left":null,"checkpoint_epoch":null,'
    b'"checkpoint_at":null,"model_at":null}'
)
_DICTIONARIES = {1: _FIRST}
_LATEST = 1

# Files hold a snapshot's `backend_status` under the name that it had first. The first such key is the snapshot's own:
# a quote inside a JSON string is always escaped.
_STORED_STATUS, _STATUS = b'"said":', b'"backend_status":'


# What an observation has in common with a new one is left out, and reading puts it in again: so no default of its
# fields may ever change. Its own fields follow its snapshot, and the first of them is in no text: a quote inside a JSON
# string is escaped.
_FIRST_OWN = b',"changed_at":'
_USUAL = [f',"{each.name}":'.encode() + msgspec.json.encode(each.default) for each in fields(Observation)
          if each.default is not MISSING]  # fmt: skip
_UNSAID = re.compile(b"(?:%s)(?=[,}])" % b"|".join(map(re.escape, _USUAL)))  # 0.05 begins like 0.0


def pack(observation: Observation) -> bytes:
    squeezer = zlib.compressobj(level=6, wbits=-15, zdict=_DICTIONARIES[_LATEST])
    snapshot, first, own = msgspec.json.encode(observation).rpartition(_FIRST_OWN)
    stored = (snapshot + first + _UNSAID.sub(b"", own)).replace(_STATUS, _STORED_STATUS, 1)
    return bytes([_LATEST]) + squeezer.compress(stored) + squeezer.flush()


def unpack(packed: bytes | None, text: str) -> Observation:
    """`text`: as earlier versions stored it, where there is nothing packed."""
    stored = text.encode()
    if packed is not None:
        stored = zlib.decompressobj(wbits=-15, zdict=_DICTIONARIES[packed[0]]).decompress(packed[1:])
    return msgspec.json.decode(stored.replace(_STORED_STATUS, _STATUS, 1), type=Observation)
