"""Tests of the client package: no Home Assistant, and a server that behaves."""
