/** Text that Markdown must not take for markup or HTML. */
export function plainText(text: string): string {
  return text.replaceAll(/[\\<>*|[\]]/g, '\\$&');
}

/** Text as code; a pipe would end a cell of a table. */
export function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``;
}

/** A table, padded as Prettier pads it, so that the formatted file is the generated one. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join('\n');
}

/** Lines of a code block. */
export function codeBlock(language: string, lines: readonly string[]): string {
  return ['```' + language, ...lines, '```'].join('\n');
}

/** The comment that a generated page begins with. */
export const GENERATED = '<!-- Generated from the code by `npm run docs`: change the code, not this file. -->';
