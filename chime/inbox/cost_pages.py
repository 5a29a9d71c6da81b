"""The price beside what is being written, asked anew when the form says another moment, number or template.

Nothing is kept, and nothing of it stands in an address: the forms are posted.
"""

from __future__ import annotations

from litestar import post
from litestar.response import Response

from chime import channels, contacts, message_templates, prices
from chime.errors import Invalid, NotFound
from chime.inbox import costs, scheduled_pages, thread
from chime.inbox.costs import Costs
from chime.inbox.pages import REPLY, START
from chime.phone import Phone
from chime.prices import Category, Price
from chime.security import limits
from chime.web.forms import form_fields
from chime.web.here import Here

_READS = {"small": True, "rate": limits.READ}


async def of_conversation(here: Here, conversation_id: str) -> Costs:
    """Raises NotFound."""
    return await costs.of_conversation(here.db, await thread.conversation_or_404(here, conversation_id), now=here.now,
                                       zone_name=here.record.time_zone)


async def of_new(here: Here, channel_id: str, typed: str, category: str, at: int | None = None) -> Price | None:
    """What a template costs to a number somebody typed; None while it is none. They know the number, so nothing of it
    is hidden from them; whether it is a contact is not looked up."""
    try:
        digits = contacts.normalise_phone(typed)
    except Invalid:
        return None
    channel = await channels.channel(here.db, channel_id)
    terms = await prices.terms(here.db, channel.waba_id if channel else "", Phone(digits), is_shown=True,
                               zone_name=here.record.time_zone, home=channel.display_phone if channel else "")
    return terms.price(category.lower(), here.now if at is None else at)


async def category_of(here: Here, channel_id: str, name: str, language: str) -> str:
    """Of a template as Meta has it now. Raises NotFound."""
    channel = await channels.channel(here.db, channel_id)
    found = await message_templates.template(here.db, channel.waba_id if channel else "", name, language)
    if found is None:
        raise NotFound("There is no such template.")
    return found.category


@post("/w/{slug:str}/inbox/{conversation_id:str}/price", opt=REPLY | _READS, status_code=200)
async def create_price(here: Here, conversation_id: str) -> Response[bytes]:
    """Of the template in the form, or of a free-form message, at the moment it names."""
    fields, found = await form_fields(here.request), await of_conversation(here, conversation_id)
    category: str = Category.SERVICE
    if fields.get("template_name"):
        conversation = await thread.conversation_or_404(here, conversation_id)
        category = await category_of(here, conversation.channel_id, fields["template_name"],
                                     fields.get("template_language", ""))
    try:
        at = scheduled_pages.moment_of(here, fields)
    except Invalid:
        at = None  # a moment that is over is told by the form itself when it is sent
    return here.page("prices/_line.html", price=found.of(category, at))


@post("/w/{slug:str}/inbox/price", opt=START | _READS, status_code=200)
async def create_price_of_new(here: Here) -> Response[bytes]:
    """Of the first message to a number in the form."""
    fields = await form_fields(here.request)
    channel_id = fields.get("channel_id", "")
    category = await category_of(here, channel_id, fields.get("template_name", ""),
                                 fields.get("template_language", ""))
    return here.page("prices/_line.html", price=await of_new(here, channel_id, fields.get("phone", ""), category))


ROUTES = [create_price, create_price_of_new]
