using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Configuration;

namespace Payments.Domain.Secrets;

/// <summary>
/// Encrypts small secrets that must be read again, such as a webhook's signing secret, with AES-256-GCM. The ciphertext names its key. To
/// rotate keys, add one and make it active: old ciphertexts stay readable, and <see cref="IsCurrent"/> says which to seal again.
/// </summary>
/// <remarks>
/// Settings: <c>Secrets:Keys:NAME</c>, 32 bytes in base64, and <c>Secrets:ActiveKey</c>, the name of the key that seals new secrets.
/// Layout: a version byte (1), the length of the key's name, the name, a nonce of 12 bytes, the ciphertext, a tag of 16 bytes.
/// </remarks>
public sealed class SecretBox
{
    private const byte Version = 1;
    private const int NonceSize = 12;
    private const int TagSize = 16;
    private readonly Dictionary<string, byte[]> _keys;
    private readonly string _active;

    public SecretBox(IReadOnlyDictionary<string, byte[]> keys, string activeKey)
    {
        _keys = new(keys, StringComparer.Ordinal);
        _active = activeKey;
        if (!_keys.ContainsKey(activeKey))
            throw new InvalidOperationException(
                $"Secrets__ActiveKey is '{activeKey}', but Secrets__Keys__{activeKey} is missing. Set it, or name another key.");
        if (_keys.FirstOrDefault(key => key.Value.Length != 32 || key.Key.Length is 0 or > 64 || !Ascii.IsValid(key.Key)) is { Key: { } wrong })
            throw new InvalidOperationException(
                $"Secrets__Keys__{wrong} must be 32 bytes in base64, and its name must have 1 to 64 ASCII characters.");
    }

    public static SecretBox FromConfiguration(IConfiguration configuration)
    {
        var section = configuration.GetSection("Secrets");
        var keys = section.GetSection("Keys").GetChildren().ToDictionary(key => key.Key, key => Decode(key.Value));
        return new SecretBox(keys, section["ActiveKey"] ?? throw new InvalidOperationException(
            "Secrets__ActiveKey is missing. Set it to the name of one of the Secrets__Keys."));

        static byte[] Decode(string? text)
        {
            var bytes = new byte[64];
            return Convert.TryFromBase64String(text ?? "", bytes, out var length) ? bytes[..length] : [];
        }
    }

    /// <param name="owner">The object that the secret belongs to. A ciphertext that is copied to another owner's row does not open.</param>
    public byte[] Seal(ReadOnlySpan<byte> secret, string owner)
    {
        var name = Encoding.ASCII.GetBytes(_active);
        var sealedSecret = new byte[2 + name.Length + NonceSize + secret.Length + TagSize];
        sealedSecret[0] = Version;
        sealedSecret[1] = (byte)name.Length;
        name.CopyTo(sealedSecret, 2);
        var nonce = sealedSecret.AsSpan(2 + name.Length, NonceSize);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(_keys[_active], TagSize);
        aes.Encrypt(nonce, secret, sealedSecret.AsSpan(2 + name.Length + NonceSize, secret.Length), sealedSecret.AsSpan(^TagSize..), Encoding.UTF8.GetBytes(owner));
        return sealedSecret;
    }

    /// <exception cref="CryptographicException">
    /// The secret was altered, belongs to another owner, or its key is not in the key ring.
    /// </exception>
    public byte[] Open(ReadOnlySpan<byte> sealedSecret, string owner)
    {
        if (KeyOf(sealedSecret) is not { } name || !_keys.TryGetValue(name, out var key))
            throw new CryptographicException("The secret was sealed with a key that is not in the key ring.");
        var rest = sealedSecret[(2 + name.Length)..];
        if (rest.Length < NonceSize + TagSize)
            throw new CryptographicException("The sealed secret is cut off.");
        var secret = new byte[rest.Length - NonceSize - TagSize];
        using var aes = new AesGcm(key, TagSize);
        aes.Decrypt(rest[..NonceSize], rest[NonceSize..^TagSize], rest[^TagSize..], secret, Encoding.UTF8.GetBytes(owner));
        return secret;
    }

    /// <summary>Whether the secret was sealed with the active key.</summary>
    public bool IsCurrent(ReadOnlySpan<byte> sealedSecret) => KeyOf(sealedSecret) == _active;

    private static string? KeyOf(ReadOnlySpan<byte> sealedSecret) =>
        sealedSecret.Length > 2 && sealedSecret[0] == Version && sealedSecret.Length > 2 + sealedSecret[1]
            ? Encoding.ASCII.GetString(sealedSecret.Slice(2, sealedSecret[1]))
            : null;
}
