// The plain text of `/status/runtime`: titles, and below each names and values in two columns.

export interface Section {
  title: string;
  rows: [string, string][];
}

export function readSections(text: string): Section[] {
  const sections: Section[] = [];
  for (const line of text.split('\n')) {
    const row = /^ {2}(\S.*?)(?: {2,}(.*))?$/.exec(line);
    if (row) sections.at(-1)?.rows.push([row[1]!, row[2] ?? '']);
    else if (line.trim() !== '') sections.push({ title: line.trim(), rows: [] });
  }
  return sections;
}
