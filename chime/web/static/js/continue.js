/** Sends the one form of a page that only passes something on; without a script its button does. */
document.querySelector('[data-continue]')?.submit();
