import { count } from './format.ts';
import { html, type Markup, nameText } from './html.ts';

/** What the reader should beware of; nothing where there are no warnings. */
export function warningsSection(texts: readonly string[]): Markup {
  return html`${
    texts.length > 0 &&
    html`<section class="warnings"><h2>${count(texts.length)} ${texts.length === 1 ? 'warning' : 'warnings'}</h2><ul>${texts.map(
      (text) => html`<li>${nameText(text)}</li>`,
    )}</ul></section>`
  }`;
}
