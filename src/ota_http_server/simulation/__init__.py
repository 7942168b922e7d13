"""Simulated devices: each speaks over a real socket as its library does, byte for byte."""
