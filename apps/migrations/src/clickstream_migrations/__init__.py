"""Migrations: the tables of this version, and the logins of those who use them.

It knows the contract's way to read settings, and no other component.
"""
