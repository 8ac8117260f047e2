using System.Linq.Expressions;
using System.Reflection;

namespace Payments.SelfHost.Hosting;

/// <summary>Calls a function and waits for what it returns; null for none.</summary>
internal delegate ValueTask<object?> FunctionInvoker(object? instance, object?[] arguments);

/// <summary>Compiles the call of a function, so that no reflection is left at run time.</summary>
internal static class FunctionInvokers
{
    public static FunctionInvoker Compile(MethodInfo method)
    {
        var instance = Expression.Parameter(typeof(object), "instance");
        var arguments = Expression.Parameter(typeof(object?[]), "arguments");
        var values = method.GetParameters().Select((parameter, i) => Expression.Convert(
            Expression.ArrayIndex(arguments, Expression.Constant(i)), parameter.ParameterType));
        var call = Expression.Call(
            method.IsStatic ? null : Expression.Convert(instance, method.DeclaringType!), method, values);
        return Expression.Lambda<FunctionInvoker>(Await(call, method.ReturnType), instance, arguments).Compile();
    }

    private static Expression Await(MethodCallExpression call, Type type)
    {
        if (type == typeof(void))
            return Expression.Block(call, Expression.Constant(default(ValueTask<object?>)));
        if (type == typeof(Task))
            return Adapt(nameof(FromTask), call);
        if (type == typeof(ValueTask))
            return Adapt(nameof(FromValueTask), call);
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Task<>))
            return Adapt(nameof(FromTaskOf), call, type.GetGenericArguments());
        if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ValueTask<>))
            return Adapt(nameof(FromValueTaskOf), call, type.GetGenericArguments());
        return Adapt(nameof(FromValue), Expression.Convert(call, typeof(object)));
    }

    private static MethodCallExpression Adapt(string adapter, Expression value, params Type[] types) =>
        Expression.Call(typeof(FunctionInvokers), adapter, types, value);

    private static ValueTask<object?> FromValue(object? value) => ValueTask.FromResult(value);

    private static async ValueTask<object?> FromTask(Task task)
    {
        await task;
        return null;
    }

    private static async ValueTask<object?> FromTaskOf<T>(Task<T> task) => await task;

    private static async ValueTask<object?> FromValueTask(ValueTask task)
    {
        await task;
        return null;
    }

    private static async ValueTask<object?> FromValueTaskOf<T>(ValueTask<T> task) => await task;
}
