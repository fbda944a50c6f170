/** Text that is safe to place into HTML as it is. Only `html` makes it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Content = string | number | Markup | null | undefined | false | readonly Content[];

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Escapes text for element content and for quoted attributes; what no HTML document may hold becomes U+FFFD. */
export function escapeHtml(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  const unfit = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\p{Surrogate}]/gu;
  return text.replace(unfit, '\ufffd').replace(/[&<>"']/g, (character) => ENTITIES[character]);
}

/**
 * HTML or SVG from a template. Every value is escaped unless it is markup itself, so that no name in a user's data can become
 * part of the page. Values must stand in element content or in a quoted attribute.
 */
export function html(strings: TemplateStringsArray, ...values: Content[]): Markup {
  let text = strings[0];
  for (let i = 0; i < values.length; i++) text += render(values[i]) + strings[i + 1];
  return new Markup(text);
}

function render(content: Content): string {
  if (content === null || content === undefined || content === false) return '';
  if (content instanceof Markup) return content.text;
  if (typeof content === 'string') return escapeHtml(content);
  if (typeof content === 'number') return String(content);
  return content.map(render).join('');
}

/** A name from the user's data; its direction of writing cannot disturb what stands beside it. */
export function nameText(name: string): Markup {
  return html`<bdi>${name}</bdi>`;
}
