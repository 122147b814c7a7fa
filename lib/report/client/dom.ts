type Child = Node | string | number | undefined | false;
type Properties<E> = Partial<Omit<E, 'style' | 'children'>> & {
  aria?: Record<string, string | undefined>;
  style?: string;
};

/** An element: properties as they are, `aria` as attributes, texts as text. */
export function h<K extends keyof HTMLElementTagNameMap>(
  name: K,
  { aria = {}, style, ...properties }: Properties<HTMLElementTagNameMap[K]> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(name), properties);
  if (style !== undefined) element.style.cssText = style;
  for (const [key, value] of Object.entries(aria))
    if (value !== undefined) element.setAttribute(key === 'role' ? key : `aria-${key}`, value);
  element.append(
    ...children
      .filter((child) => child !== undefined && child !== false)
      .map((child) => (typeof child === 'number' ? String(child) : child)),
  );
  return element;
}

/** The element of the page with this id. */
export const byId = (id: string): HTMLElement => document.getElementById(id)!;

/** Terms and their values. */
export const facts = (entries: readonly (readonly [string, Child, string?])[]): HTMLElement =>
  h(
    'dl',
    { className: 'facts' },
    ...entries.map(([term, value, note]) =>
      h('div', {}, h('dt', {}, term), h('dd', {}, value, note !== undefined && h('small', {}, ` ${note}`))),
    ),
  );

/** σ with a small number under it. */
export const sub = (text: string, index: string | number): HTMLElement =>
  h('span', {}, text, h('sub', {}, String(index)));

let live: HTMLElement | undefined;

/** Says `text` to a screen reader. */
export function announce(text: string): void {
  const host = document.querySelector('dialog[open]') ?? document.body;
  live ??= h('div', { className: 'unseen', aria: { live: 'polite' } });
  if (live.parentElement !== host) host.append(live);
  live.textContent = text;
}
