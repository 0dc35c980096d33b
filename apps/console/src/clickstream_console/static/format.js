// The format of figures. Money is exact text, and is never summed as a number.
const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const exact = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

export const count = (value) => (value === null || value === undefined ? "–" : whole.format(value));
export const money = (text, currency) => {
  if (text === null || text === undefined) return "–";
  if (!currency) return exact.format(text);
  return new Intl.NumberFormat("en-GB", { style: "currency", currency }).format(text);
};
export const percent = (value) =>
  value === null || value === undefined ? "–" : `${exact.format(value)} %`;
export const seconds = (value) =>
  value === null || value === undefined ? "–" : `${exact.format(value)} s`;
export const minute = (iso) => `${iso.slice(5, 10)} ${iso.slice(11, 16)}`;
