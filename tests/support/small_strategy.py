"""A strategy that trains in well under a second."""

STRATEGY = """
name: {name}
version: "3.0"
description: A small one.
training_data:
  symbols: {{mode: single, symbol: EURUSD}}
  timeframes: {{mode: single, timeframe: "1h"}}
  history_required: 50
indicators:
  rsi_14: {{type: rsi, period: 14}}
fuzzy_sets:
  momentum:
    indicator: rsi_14
    low: {{type: triangular, parameters: [0, 20, 45]}}
    high: {{type: triangular, parameters: [55, 80, 100]}}
nn_inputs:
  - {{fuzzy_set: momentum, timeframes: all}}
model:
  type: mlp
  architecture: {{hidden_layers: [4], activation: relu}}
decisions: {{output_format: classification}}
training:
  learning_rate: 0.01
  batch_size: 200
  epochs: {epochs}
  labels: {{source: zigzag, zigzag_threshold: 0.0008, label_lookahead: 12}}
"""
