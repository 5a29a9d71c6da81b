"""Chime: a self-hosted WhatsApp Business CRM. Open `chime/app.py` for the table of contents."""

__version__ = "0.1.0"
