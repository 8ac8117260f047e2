using System.Globalization;
using System.Text;

namespace Payments.Domain.Providers.Stripe;

/// <summary>
/// A request body of Stripe's API: <c>application/x-www-form-urlencoded</c>, with brackets for nested values. Source: docs.stripe.com/api,
/// "Introduction".
/// </summary>
internal sealed class StripeForm
{
    private readonly StringBuilder _text = new();

    public StripeForm Add(string name, string? value)
    {
        if (value is null)
            return this;
        if (_text.Length > 0)
            _text.Append('&');
        _text.Append(Uri.EscapeDataString(name)).Append('=').Append(Uri.EscapeDataString(value));
        return this;
    }

    public StripeForm Add(string name, long value) => Add(name, value.ToString(CultureInfo.InvariantCulture));

    public StripeForm Add(string name, bool value) => Add(name, value ? "true" : "false");

    public byte[] ToBytes() => Encoding.ASCII.GetBytes(_text.ToString());
}
