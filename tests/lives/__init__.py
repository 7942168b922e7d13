"""Whole lives of fleets: real operations on real rows; boards, time and mishaps are simulated."""
