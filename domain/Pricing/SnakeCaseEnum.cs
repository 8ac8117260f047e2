using System.Text.Json;
using System.Text.Json.Serialization;
using Payments.Domain.Database;

namespace Payments.Domain.Pricing;

/// <summary>Reads and writes an enum in JSON as <see cref="DbText"/> spells it.</summary>
internal sealed class SnakeCaseEnum<TEnum> : JsonConverter<TEnum>
    where TEnum : struct, Enum
{
    public override TEnum Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType is JsonTokenType.String && DbText.TryParse<TEnum>(reader.GetString(), out var value) ? value : throw new JsonException();

    public override void Write(Utf8JsonWriter writer, TEnum value, JsonSerializerOptions options) => writer.WriteStringValue(DbText.Of(value));
}
