import { h } from './dom.ts';

export interface PageOf<T> {
  readonly name: string;
  readonly items: readonly T[];
}

/** Shows the first page, and where there are more the controls to go to another. */
export function pager<T>(
  host: HTMLElement,
  pages: readonly PageOf<T>[],
  label: string,
  show: (items: readonly T[]) => void,
): void {
  let at = 0;
  const select = h('select', {}, ...pages.map(({ name }, i) => h('option', { value: String(i) }, name)));
  const back = h('button', { type: 'button' }, '← previous');
  const next = h('button', { type: 'button' }, 'next →');
  const go = (to: number) => {
    at = Math.min(Math.max(to, 0), pages.length - 1);
    select.value = String(at);
    back.disabled = at === 0;
    next.disabled = at >= pages.length - 1;
    show(pages[at]?.items ?? []);
  };
  back.onclick = () => go(at - 1);
  next.onclick = () => go(at + 1);
  select.onchange = () => go(Number(select.value));
  host.replaceChildren(
    ...(pages.length > 1
      ? [back, h('label', {}, `${label} `, select, ` of ${pages.length} pages`), next]
      : []),
  );
  host.hidden = pages.length <= 1;
  go(0);
}
