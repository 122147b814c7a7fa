import { h } from './dom.ts';

const tip = h('div', { className: 'tip', hidden: true, aria: { hidden: 'true' } });

/** Shows lines of text beside a point of the window, above whatever is open. */
export function showTip(lines: readonly string[], x: number, y: number): void {
  const host = document.querySelector('dialog[open]') ?? document.body;
  if (tip.parentElement !== host) host.append(tip);
  tip.replaceChildren(...lines.map((line, i) => h(i === 0 ? 'b' : 'span', {}, line)));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left = x + 14 + width > innerWidth ? Math.max(4, x - 14 - width) : x + 14;
  const top = Math.min(Math.max(4, y - height / 2), innerHeight - height - 4);
  tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
}

export function hideTip(): void {
  tip.hidden = true;
}
