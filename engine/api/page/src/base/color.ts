// A colour for each service, the same in every view and every session.

/** 32 bits of a text (FNV-1a over UTF-16 units). */
export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  // The last bits of FNV are not well mixed.
  h ^= h >>> 15;
  h = Math.imul(h, 0x2c1b3c6d);
  return (h ^ (h >>> 12)) >>> 0;
}

const HUES = 20;

/** The colour of a service: equal lightness for all, so that it reads on light and on dark. */
export function serviceColor(service: string): string {
  const h = hash(service);
  const hue = ((h % HUES) * 360) / HUES + 8;
  const [light, chroma] = (h >>> 8) % 2 === 0 ? [0.68, 0.13] : [0.6, 0.1];
  return `oklch(${light} ${chroma} ${hue})`;
}
